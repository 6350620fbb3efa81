package platform

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"parley/db"
	gen "parley/gen/platform"
	"parley/impl/core/fault"
	"parley/impl/core/talk"
	"parley/impl/core/turn"
	"parley/impl/httpd"
)

const conversationsPath = "/api/v1/admin/conversations"

type talks struct{ service *talk.Service }

// ListAccountConversations lists what was said on every surface, the newest first.
func (t talks) ListAccountConversations(ctx context.Context, request gen.ListAccountConversationsRequestObject) (gen.ListAccountConversationsResponseObject, error) {
	p, limit := request.Params, int(*request.Params.Limit)
	filter := talk.Filter{
		Surface: value(p.Surface), AgentID: value(p.AgentID), ProjectID: number(p.ProjectID), EndUser: value(p.EndUser), Search: value(p.Q),
		Cursor: value(p.Cursor), Limit: limit,
	}
	if p.From != nil {
		filter.From = *p.From
	}
	if p.To != nil {
		filter.To = *p.To
	}
	page, err := t.service.List(ctx, httpd.Caller(ctx).AccountID, filter)
	if err != nil {
		return nil, err
	}
	var link *string
	if page.Next != "" {
		link = httpd.NextPage(talksAddress(p), page.Next, limit)
	}
	list := make(gen.TalkList, len(page.Talks))
	for i, row := range page.Talks {
		list[i] = toAPITalk(row)
	}
	return gen.ListAccountConversations200JSONResponse{Body: list, Headers: gen.ListAccountConversations200ResponseHeaders{Link: link}}, nil
}

// talksAddress is the list's address with what it was filtered by.
func talksAddress(p gen.ListAccountConversationsParams) string {
	query := url.Values{}
	for name, text := range map[string]string{"q": value(p.Q), "surface": value(p.Surface), "agent_id": value(p.AgentID), "end_user": value(p.EndUser)} {
		if text != "" {
			query.Set(name, text)
		}
	}
	if p.ProjectID != nil {
		query.Set("project_id", strconv.FormatInt(*p.ProjectID, 10))
	}
	for name, at := range map[string]*time.Time{"from": p.From, "to": p.To} {
		if at != nil {
			query.Set(name, at.Format(time.RFC3339Nano))
		}
	}
	return conversationsPath + "?" + query.Encode()
}

// GetAccountConversation returns one conversation of any surface with a page of its messages.
func (t talks) GetAccountConversation(ctx context.Context, request gen.GetAccountConversationRequestObject) (gen.GetAccountConversationResponseObject, error) {
	accountID, limit := httpd.Caller(ctx).AccountID, int(*request.Params.Limit)
	after, err := strconv.ParseInt("0"+value(request.Params.Cursor), 10, 32)
	if err != nil {
		return nil, fault.New(fault.NotFound, "The list has no such page.").Because(err)
	}
	row, err := t.service.Get(ctx, accountID, request.ConversationID)
	if err != nil {
		return nil, err
	}
	messages, err := t.service.Messages(ctx, accountID, row, after, limit+1)
	if err != nil {
		return nil, err
	}
	running, err := t.service.Running(ctx, accountID, row)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(messages) > limit {
		messages = messages[:limit]
		link = httpd.NextPage(conversationsPath+"/"+row.ID, strconv.FormatInt(messages[limit-1].Number, 10), limit)
	}
	head := toAPITalk(row)
	body := gen.TalkTranscript{
		ID: head.ID, Surface: head.Surface, Title: head.Title, Preview: head.Preview, AppID: head.AppID, AgentID: head.AgentID, ProjectID: head.ProjectID,
		Model: head.Model, EndUser: head.EndUser, InputTokens: head.InputTokens, OutputTokens: head.OutputTokens,
		CreatedAt: head.CreatedAt, LastMessageAt: head.LastMessageAt, RunningTurnID: given(running), Messages: make([]gen.TalkMessage, len(messages)),
	}
	for i, m := range messages {
		body.Messages[i] = toAPITalkMessage(m)
	}
	return gen.GetAccountConversation200JSONResponse{Body: body, Headers: gen.GetAccountConversation200ResponseHeaders{Link: link}}, nil
}

func toAPITalk(t db.Talk) gen.Talk {
	return gen.Talk{
		ID: t.ID, Surface: gen.TalkSurface(t.Surface), Title: given(t.Title), Preview: given(t.Preview), AppID: given(t.AppID), AgentID: t.AgentID,
		ProjectID: t.ProjectID, Model: t.ModelID, EndUser: t.EndUser, InputTokens: t.InputTokens, OutputTokens: t.OutputTokens,
		CreatedAt: t.CreatedAt.UTC(), LastMessageAt: t.LastMessageAt.UTC(),
	}
}

func toAPITalkMessage(m talk.Message) gen.TalkMessage {
	return gen.TalkMessage{
		ID: m.ID, Role: gen.TalkRole(m.Role), Sender: given(m.Sender), Text: m.Text, TurnID: given(m.TurnID), Model: given(m.ModelID),
		Citations: int32(len(m.Passages)), Passages: toAPITalkPassages(m.Passages), ImageIds: append([]string{}, m.Images...), CreatedAt: m.CreatedAt.UTC(),
	}
}

func toAPITalkPassages(cited []turn.Citation) []gen.TalkPassage {
	out := make([]gen.TalkPassage, len(cited))
	for i, c := range cited {
		out[i] = gen.TalkPassage{Number: int32(c.N), Title: c.Title, URL: given(c.URL), Excerpt: c.Excerpt}
	}
	return out
}
