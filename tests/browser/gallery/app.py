"""Serves the gallery: streamlit run tests/browser/gallery/app.py."""

import streamlit as st

from pages.frame import server

app = st.App("gallery.py", routes=server.routes(), middleware=server.MIDDLEWARE)
