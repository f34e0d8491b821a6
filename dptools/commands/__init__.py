"""One file a tool: options in, a Stage out. What they share: options, image_tool, entry."""
