"""The report: one HTML file; `contents` gathers what stands in it, `page.html` says how it looks."""
