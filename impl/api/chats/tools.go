package chats

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"

	"parley/db"
	gen "parley/gen/chats"
	"parley/impl/core/chat"
	"parley/impl/core/tool"
	"parley/impl/httpd"
)

type tools struct{ service *chat.Service }

// ListTools lists the account's tools, the newest first.
func (a tools) ListTools(ctx context.Context, request gen.ListToolsRequestObject) (gen.ListToolsResponseObject, error) {
	limit := int(*request.Params.Limit)
	rows, err := a.service.Tools.List(ctx, httpd.Caller(ctx).AccountID, text(request.Params.Cursor), limit+1)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(rows) > limit {
		rows = rows[:limit]
		link = httpd.NextPage(httpd.Mounted(ctx)+"/tools", rows[limit-1].ID, limit)
	}
	list := make(gen.ToolList, len(rows))
	for i, row := range rows {
		if list[i], err = toAPITool(row); err != nil {
			return nil, err
		}
	}
	return gen.ListTools200JSONResponse{Body: list, Headers: gen.ListTools200ResponseHeaders{Link: link}}, nil
}

// CreateTool makes a tool.
func (a tools) CreateTool(ctx context.Context, request gen.CreateToolRequestObject) (gen.CreateToolResponseObject, error) {
	b := request.Body
	in, err := fromAPITool(gen.ToolChange{
		Name: &b.Name, Description: b.Description, Approval: (*gen.ToolChangeApproval)(b.Approval), Headers: b.Headers, HTTP: b.HTTP, Openapi: b.Openapi, Mcp: b.Mcp,
	})
	if err != nil {
		return nil, err
	}
	row, err := a.service.Tools.Create(ctx, httpd.Caller(ctx).AccountID, in)
	if err != nil {
		return nil, err
	}
	t, err := toAPITool(row)
	return gen.CreateTool200JSONResponse(t), err
}

// GetTool returns a tool.
func (a tools) GetTool(ctx context.Context, request gen.GetToolRequestObject) (gen.GetToolResponseObject, error) {
	row, err := a.service.Tools.Get(ctx, httpd.Caller(ctx).AccountID, request.ToolID)
	if err != nil {
		return nil, err
	}
	t, err := toAPITool(row)
	return gen.GetTool200JSONResponse(t), err
}

// UpdateTool changes a tool.
func (a tools) UpdateTool(ctx context.Context, request gen.UpdateToolRequestObject) (gen.UpdateToolResponseObject, error) {
	in, err := fromAPITool(*request.Body)
	if err != nil {
		return nil, err
	}
	row, err := a.service.Tools.Update(ctx, httpd.Caller(ctx).AccountID, request.ToolID, in)
	if err != nil {
		return nil, err
	}
	t, err := toAPITool(row)
	return gen.UpdateTool200JSONResponse(t), err
}

// DeleteTool removes a tool.
func (a tools) DeleteTool(ctx context.Context, request gen.DeleteToolRequestObject) (gen.DeleteToolResponseObject, error) {
	if err := a.service.Tools.Delete(ctx, httpd.Caller(ctx).AccountID, request.ToolID); err != nil {
		return nil, err
	}
	return gen.DeleteTool200JSONResponse(gen.ChatDeleted{Result: gen.ChatDeletedResultDeleted}), nil
}

// RefreshTool asks an MCP server for its tools again.
func (a tools) RefreshTool(ctx context.Context, request gen.RefreshToolRequestObject) (gen.RefreshToolResponseObject, error) {
	row, err := a.service.Tools.Refresh(ctx, httpd.Caller(ctx).AccountID, request.ToolID)
	if err != nil {
		return nil, err
	}
	t, err := toAPITool(row)
	return gen.RefreshTool200JSONResponse(t), err
}

// CallTool tries a tool.
func (a tools) CallTool(ctx context.Context, request gen.CallToolRequestObject) (gen.CallToolResponseObject, error) {
	arguments, err := json.Marshal(request.Body.Arguments)
	if err != nil {
		return nil, fmt.Errorf("encode arguments: %w", err)
	}
	result, err := a.service.Tools.Try(ctx, httpd.Caller(ctx).AccountID, request.ToolID, text(request.Body.Function), arguments, rand.Text())
	if err != nil {
		return nil, err
	}
	out := gen.ToolOutcome{Status: gen.ToolOutcomeStatusDone, Result: result.Text}
	if result.Failed {
		out.Status = gen.ToolOutcomeStatusFailed
	}
	return gen.CallTool200JSONResponse(out), nil
}

func fromAPITool(b gen.ToolChange) (tool.Input, error) {
	in := tool.Input{Name: b.Name, Description: b.Description, Approval: (*string)(b.Approval), Headers: b.Headers}
	if b.HTTP != nil {
		parameters, err := json.Marshal(b.HTTP.Parameters)
		if err != nil {
			return in, fmt.Errorf("encode parameters: %w", err)
		}
		in.HTTP = &tool.HTTP{Target: tool.Target{Method: string(b.HTTP.Method), URL: b.HTTP.URL, In: map[string]string{}}, Parameters: parameters}
		for name, place := range b.HTTP.In {
			in.HTTP.In[name] = string(place)
		}
	}
	if b.Openapi != nil {
		in.OpenAPI = &tool.OpenAPI{Document: b.Openapi.Document, OperationID: b.Openapi.OperationID, Server: text(b.Openapi.Server)}
	}
	if b.Mcp != nil {
		in.MCP = &tool.MCP{URL: b.Mcp.URL}
	}
	return in, nil
}

func toAPITool(t db.Tool) (gen.Tool, error) {
	target, functions, err := tool.Read(t)
	if err != nil {
		return gen.Tool{}, err
	}
	out := gen.Tool{
		ID: t.ID, Name: t.Name, Description: t.Description, Approval: gen.ToolApproval(t.Approval), Kind: gen.ToolKind(t.Kind), Headers: t.HeaderNames,
		Functions: make([]gen.ToolFunction, len(functions)), Owner: t.AccountID, Created: timestamp(t.CreatedAt), Updated: timestamp(t.UpdatedAt), Refreshed: timestamp(t.RefreshedAt),
	}
	for i, f := range functions {
		out.Functions[i] = gen.ToolFunction{Name: f.Name, Description: f.Description}
		if err := json.Unmarshal(f.Parameters, &out.Functions[i].Parameters); err != nil {
			return gen.Tool{}, fmt.Errorf("decode parameters of tool: %w", err)
		}
	}
	if t.Kind == tool.KindMCP {
		out.Mcp = &gen.McpTool{URL: target.URL}
		return out, nil
	}
	out.HTTP = &gen.ToolRequest{Method: gen.ToolRequestMethod(target.Method), URL: target.URL, In: map[string]gen.ToolRequestIn{}}
	for name, place := range target.In {
		out.HTTP.In[name] = gen.ToolRequestIn(place)
	}
	return out, nil
}
