"""Release Review: may a change to a scoring model go to the next stage, and on what evidence?"""
