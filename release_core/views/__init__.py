"""An open release and a reader's choice in, what one page shows out: charts, rows and sentences; one module a page."""
