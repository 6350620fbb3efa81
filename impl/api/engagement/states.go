package engagement

import (
	"context"
	"net/url"
	"strconv"

	gen "parley/gen/engagement"
	"parley/impl/core/engagement"
	"parley/impl/httpd"
)

type states struct{ advisor *engagement.Advisor }

// GetAgentState returns what an agent keeps in mind of a user.
func (s states) GetAgentState(ctx context.Context, request gen.GetAgentStateRequestObject) (gen.GetAgentStateResponseObject, error) {
	state, err := s.advisor.State(ctx, httpd.Caller(ctx).AccountID, request.AgentID, request.EndUser)
	if err != nil {
		return nil, err
	}
	return gen.GetAgentState200JSONResponse(toAPIState(state)), nil
}

// UpdateAgentState sets goals and themes.
func (s states) UpdateAgentState(ctx context.Context, request gen.UpdateAgentStateRequestObject) (gen.UpdateAgentStateResponseObject, error) {
	state, err := s.advisor.Aim(ctx, httpd.Caller(ctx).AccountID, request.AgentID, request.EndUser, fromAPIGoals(request.Body.Goals), request.Body.Themes)
	if err != nil {
		return nil, err
	}
	return gen.UpdateAgentState200JSONResponse(toAPIState(state)), nil
}

// ListAgentStateVersions shows how a state came to be.
func (s states) ListAgentStateVersions(ctx context.Context, request gen.ListAgentStateVersionsRequestObject) (gen.ListAgentStateVersionsResponseObject, error) {
	limit := int(*request.Params.Limit)
	// A cursor that we did not make is before the newest version.
	before, _ := strconv.ParseInt(text(request.Params.Cursor), 10, 64)
	versions, err := s.advisor.States(ctx, httpd.Caller(ctx).AccountID, request.AgentID, request.EndUser, before, limit+1)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(versions) > limit {
		versions = versions[:limit]
		path := "/api/v1/agents/" + request.AgentID + "/states/" + url.PathEscape(request.EndUser) + "/versions"
		link = httpd.NextPage(path, strconv.FormatInt(versions[limit-1].Version, 10), limit)
	}
	list := make(gen.AgentStateList, len(versions))
	for i, v := range versions {
		list[i] = toAPIState(v)
	}
	return gen.ListAgentStateVersions200JSONResponse{Body: list, Headers: gen.ListAgentStateVersions200ResponseHeaders{Link: link}}, nil
}
