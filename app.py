"""Opens Release Review: `python3 app.py [FOLDER]` prepares all and serves, `streamlit run app.py` only serves."""

if __name__ == "__main__":
    import sys

    from release_core import launch

    sys.exit(launch.main())
else:
    import streamlit as st

    from pages.frame import server

    app = st.App(server.MAIN, routes=server.routes(), middleware=server.MIDDLEWARE, lifespan=server.warm)
