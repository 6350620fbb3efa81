package chats

import (
	"context"
	"encoding/json"
	"strconv"

	gen "parley/gen/chats"
	"parley/impl/core/chat"
	"parley/impl/core/flow"
	"parley/impl/httpd"
)

type flows struct{ service *chat.Service }

// ListFlows lists the account's flows, the newest first.
func (a flows) ListFlows(ctx context.Context, request gen.ListFlowsRequestObject) (gen.ListFlowsResponseObject, error) {
	limit := int(*request.Params.Limit)
	rows, err := a.service.Flows(ctx, httpd.Caller(ctx).AccountID, text(request.Params.Cursor), limit+1)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(rows) > limit {
		rows = rows[:limit]
		link = httpd.NextPage(httpd.Mounted(ctx)+"/flows", rows[limit-1].ID, limit)
	}
	list, err := toAPIFlows(rows)
	return gen.ListFlows200JSONResponse{Body: list, Headers: gen.ListFlows200ResponseHeaders{Link: link}}, err
}

// CreateFlow makes a flow.
func (a flows) CreateFlow(ctx context.Context, request gen.CreateFlowRequestObject) (gen.CreateFlowResponseObject, error) {
	in, err := fromAPIFlow(&request.Body.Name, request.Body.Description, &request.Body.Flow)
	if err != nil {
		return nil, err
	}
	row, err := a.service.CreateFlow(ctx, httpd.Caller(ctx).AccountID, in)
	if err != nil {
		return nil, err
	}
	f, err := toAPIFlow(row)
	return gen.CreateFlow200JSONResponse(f), err
}

func fromAPIFlow(name, description *string, definition *gen.FlowDefinition) (chat.FlowInput, error) {
	in := chat.FlowInput{Name: name, Description: description}
	if definition == nil {
		return in, nil
	}
	var err error
	in.Definition, err = json.Marshal(definition)
	return in, err
}

// GetFlow returns a flow.
func (a flows) GetFlow(ctx context.Context, request gen.GetFlowRequestObject) (gen.GetFlowResponseObject, error) {
	row, err := a.service.Flow(ctx, httpd.Caller(ctx).AccountID, request.FlowID)
	if err != nil {
		return nil, err
	}
	f, err := toAPIFlow(row)
	return gen.GetFlow200JSONResponse(f), err
}

// UpdateFlow makes the next version of a flow.
func (a flows) UpdateFlow(ctx context.Context, request gen.UpdateFlowRequestObject) (gen.UpdateFlowResponseObject, error) {
	in, err := fromAPIFlow(request.Body.Name, request.Body.Description, request.Body.Flow)
	if err != nil {
		return nil, err
	}
	row, err := a.service.UpdateFlow(ctx, httpd.Caller(ctx).AccountID, request.FlowID, in)
	if err != nil {
		return nil, err
	}
	f, err := toAPIFlow(row)
	return gen.UpdateFlow200JSONResponse(f), err
}

// DeleteFlow removes a flow.
func (a flows) DeleteFlow(ctx context.Context, request gen.DeleteFlowRequestObject) (gen.DeleteFlowResponseObject, error) {
	if err := a.service.DeleteFlow(ctx, httpd.Caller(ctx).AccountID, request.FlowID); err != nil {
		return nil, err
	}
	return gen.DeleteFlow200JSONResponse(gen.ChatDeleted{Result: gen.ChatDeletedResultDeleted}), nil
}

// ListFlowVersions lists what a flow said, the newest version first.
func (a flows) ListFlowVersions(ctx context.Context, request gen.ListFlowVersionsRequestObject) (gen.ListFlowVersionsResponseObject, error) {
	limit := int(*request.Params.Limit)
	// A cursor that we did not make is before the newest version.
	before, _ := strconv.ParseInt(text(request.Params.Cursor), 10, 64)
	rows, err := a.service.FlowVersions(ctx, httpd.Caller(ctx).AccountID, request.FlowID, before, limit+1)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(rows) > limit {
		rows = rows[:limit]
		link = httpd.NextPage(httpd.Mounted(ctx)+"/flows/"+request.FlowID+"/versions", strconv.FormatInt(rows[limit-1].Version, 10), limit)
	}
	list, err := toAPIFlows(rows)
	return gen.ListFlowVersions200JSONResponse{Body: list, Headers: gen.ListFlowVersions200ResponseHeaders{Link: link}}, err
}

// ValidateFlow tells why a flow cannot be run.
func (a flows) ValidateFlow(ctx context.Context, request gen.ValidateFlowRequestObject) (gen.ValidateFlowResponseObject, error) {
	in, err := fromAPIFlow(nil, nil, &request.Body.Flow)
	if err != nil {
		return nil, err
	}
	problems, err := a.service.Validate(ctx, httpd.Caller(ctx).AccountID, in.Definition)
	if err != nil {
		return nil, err
	}
	return gen.ValidateFlow200JSONResponse(gen.FlowValidation{Valid: len(problems) == 0, Problems: toAPIProblems(problems)}), nil
}

// ListFlowTemplates lists the gallery.
func (flows) ListFlowTemplates(context.Context, gen.ListFlowTemplatesRequestObject) (gen.ListFlowTemplatesResponseObject, error) {
	list := make(gen.FlowTemplateList, len(flow.Templates))
	for i, t := range flow.Templates {
		definition, err := toAPIDefinition(t.Definition)
		if err != nil {
			return nil, err
		}
		list[i] = gen.FlowTemplate{ID: t.ID, Name: t.Name, Description: t.Description, Flow: definition}
	}
	return gen.ListFlowTemplates200JSONResponse(list), nil
}
