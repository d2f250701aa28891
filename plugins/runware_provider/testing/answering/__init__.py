"""What stands in for a language model: rules that read a document and fill a schema, choose a label or call a tool."""
