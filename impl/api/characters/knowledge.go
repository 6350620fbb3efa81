package characters

import (
	"context"

	gen "parley/gen/characters"
	"parley/impl/core/agent"
	"parley/impl/core/knowledge"
	"parley/impl/httpd"
)

// documents are what agents answer from.
type documents struct {
	agents    *agent.Service
	knowledge *knowledge.Service
}

// holder is the agent whose knowledge a request is about; one that is not the account's own is a NotFound fault.
func (d documents) holder(ctx context.Context, agentID string) (accountID string, h knowledge.Holder, err error) {
	accountID = httpd.Caller(ctx).AccountID
	_, err = d.agents.Get(ctx, accountID, agentID)
	return accountID, knowledge.Agent(agentID), err
}

// ListAgentDocuments lists an agent's files, the newest first.
func (d documents) ListAgentDocuments(ctx context.Context, request gen.ListAgentDocumentsRequestObject) (gen.ListAgentDocumentsResponseObject, error) {
	accountID, h, err := d.holder(ctx, request.AgentID)
	if err != nil {
		return nil, err
	}
	limit := int(*request.Params.Limit)
	rows, err := d.knowledge.Documents(ctx, accountID, h, text(request.Params.Cursor), 0, limit+1)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(rows) > limit {
		rows = rows[:limit]
		link = httpd.NextPage("/api/v1/agents/"+h.ID+"/documents", rows[limit-1].ID, limit)
	}
	list := make(gen.AgentDocumentList, len(rows))
	for i, row := range rows {
		list[i] = toAPIDocument(row)
	}
	return gen.ListAgentDocuments200JSONResponse{Body: list, Headers: gen.ListAgentDocuments200ResponseHeaders{Link: link}}, nil
}

// CreateAgentDocument stores a file for an agent and begins to read it.
func (d documents) CreateAgentDocument(ctx context.Context, request gen.CreateAgentDocumentRequestObject) (gen.CreateAgentDocumentResponseObject, error) {
	accountID, h, err := d.holder(ctx, request.AgentID)
	if err != nil {
		return nil, err
	}
	f := knowledge.Text(request.JSONBody.Name, request.JSONBody.Content)
	if u := httpd.UploadOf(ctx, "file"); u != nil {
		f = knowledge.File{Name: u.Name, Type: u.Type, Content: u.Content()}
	}
	row, err := d.knowledge.AddDocument(ctx, accountID, h, f)
	if err != nil {
		return nil, err
	}
	return gen.CreateAgentDocument201JSONResponse{
		Body: toAPIDocument(row), Headers: gen.CreateAgentDocument201ResponseHeaders{Location: "/api/v1/agents/" + h.ID + "/documents/" + row.ID},
	}, nil
}

// GetAgentDocument tells how far the reading of a file is.
func (d documents) GetAgentDocument(ctx context.Context, request gen.GetAgentDocumentRequestObject) (gen.GetAgentDocumentResponseObject, error) {
	accountID, h, err := d.holder(ctx, request.AgentID)
	if err != nil {
		return nil, err
	}
	row, err := d.knowledge.Document(ctx, accountID, h, request.DocumentID)
	if err != nil {
		return nil, err
	}
	return gen.GetAgentDocument200JSONResponse(toAPIDocument(row)), nil
}

// DeleteAgentDocument removes a file of an agent.
func (d documents) DeleteAgentDocument(ctx context.Context, request gen.DeleteAgentDocumentRequestObject) (gen.DeleteAgentDocumentResponseObject, error) {
	accountID, h, err := d.holder(ctx, request.AgentID)
	if err != nil {
		return nil, err
	}
	if err := d.knowledge.DeleteDocument(ctx, accountID, h, request.DocumentID); err != nil {
		return nil, err
	}
	return gen.DeleteAgentDocument204Response{}, nil
}

// ListAgentSites lists an agent's sites.
func (d documents) ListAgentSites(ctx context.Context, request gen.ListAgentSitesRequestObject) (gen.ListAgentSitesResponseObject, error) {
	accountID, h, err := d.holder(ctx, request.AgentID)
	if err != nil {
		return nil, err
	}
	rows, err := d.knowledge.HeldSites(ctx, accountID, h)
	if err != nil {
		return nil, err
	}
	list := make(gen.AgentSiteList, len(rows))
	for i, row := range rows {
		list[i] = toAPISite(row)
	}
	return gen.ListAgentSites200JSONResponse(list), nil
}

// CreateAgentSite stores a site for an agent and begins to read it.
func (d documents) CreateAgentSite(ctx context.Context, request gen.CreateAgentSiteRequestObject) (gen.CreateAgentSiteResponseObject, error) {
	accountID, h, err := d.holder(ctx, request.AgentID)
	if err != nil {
		return nil, err
	}
	row, err := d.knowledge.AddHeldSite(ctx, accountID, h, request.Body.URL, string(*request.Body.Refresh))
	if err != nil {
		return nil, err
	}
	return gen.CreateAgentSite201JSONResponse(toAPISite(row)), nil
}

// DeleteAgentSite removes a site of an agent with its pages.
func (d documents) DeleteAgentSite(ctx context.Context, request gen.DeleteAgentSiteRequestObject) (gen.DeleteAgentSiteResponseObject, error) {
	accountID, h, err := d.holder(ctx, request.AgentID)
	if err != nil {
		return nil, err
	}
	if err := d.knowledge.DeleteHeldSite(ctx, accountID, h, request.SiteID); err != nil {
		return nil, err
	}
	return gen.DeleteAgentSite204Response{}, nil
}
