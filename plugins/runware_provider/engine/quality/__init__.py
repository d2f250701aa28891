"""Quality at a glance: a published dataset as a report, or two of them side by side, in Markdown and HTML."""
