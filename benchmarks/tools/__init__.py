"""Other migration tools, each brought to migrate every target of a subject with one command."""
