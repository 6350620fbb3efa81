package toolclient

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"parley/impl/core/tool"
)

const (
	// eventBytesMax is the ceiling of one message of an MCP server.
	eventBytesMax = bodyBytesMax
	// listedMax bounds how many tools a server is heard to list.
	listedMax = 1000
)

// connect begins a session with an MCP server; it ends with its Close.
func (c *client) connect(ctx context.Context, url string, header map[string]string) (*mcp.ClientSession, error) {
	ours := mcp.NewClient(&mcp.Implementation{Name: "parley", Version: "1"}, &mcp.ClientOptions{Capabilities: &mcp.ClientCapabilities{}})
	session, err := ours.Connect(ctx, &mcp.StreamableClientTransport{
		Endpoint: url, HTTPClient: c.with(header), MaxRetries: -1, DisableStandaloneSSE: true, MaxEventSize: eventBytesMax,
	}, nil)
	if err != nil {
		return nil, fmt.Errorf("connect to MCP server: %w", err)
	}
	return session, nil
}

// discover lists the tools of an MCP server.
func (c *client) discover(ctx context.Context, url string, header map[string]string) ([]tool.Function, error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeTime)
	defer cancel()
	session, err := c.connect(ctx, url, header)
	if err != nil {
		return nil, err
	}
	defer func() { _ = session.Close() }() // what it listed is known
	var found []tool.Function
	for one, err := range session.Tools(ctx, nil) {
		if err != nil {
			return nil, fmt.Errorf("list tools of MCP server: %w", err)
		}
		schema, err := json.Marshal(one.InputSchema)
		if err != nil {
			continue
		}
		found = append(found, tool.Function{Name: one.Name, Description: one.Description, Parameters: schema})
		if len(found) == listedMax {
			break
		}
	}
	return found, nil
}

// use calls a tool of an MCP server.
func (c *client) use(ctx context.Context, url string, header map[string]string, name string, arguments map[string]any) (string, bool, error) {
	session, err := c.connect(ctx, url, header)
	if err != nil {
		return "", false, err
	}
	defer func() { _ = session.Close() }() // the result is known
	res, err := session.CallTool(ctx, &mcp.CallToolParams{Name: name, Arguments: arguments})
	if err != nil {
		return "", false, fmt.Errorf("call tool of MCP server: %w", err)
	}
	return told(res), res.IsError, nil
}

// told is a result as text: what it says, or what it is.
func told(res *mcp.CallToolResult) string {
	var parts []string
	for _, one := range res.Content {
		switch c := one.(type) {
		case *mcp.TextContent:
			parts = append(parts, c.Text)
		case *mcp.ImageContent:
			parts = append(parts, "["+c.MIMEType+" image]")
		case *mcp.AudioContent:
			parts = append(parts, "["+c.MIMEType+" audio]")
		case *mcp.ResourceLink:
			parts = append(parts, "["+c.Name+"]("+c.URI+")")
		case *mcp.EmbeddedResource:
			if c.Resource != nil {
				parts = append(parts, c.Resource.Text)
			}
		}
	}
	if text := strings.TrimSpace(strings.Join(parts, "\n\n")); text != "" || res.StructuredContent == nil {
		return text
	}
	raw, err := json.Marshal(res.StructuredContent)
	if err != nil {
		return ""
	}
	return string(raw)
}
