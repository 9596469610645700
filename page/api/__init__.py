"""What programs and models call, over HTTP and MCP."""
