package projects

import (
	"context"
	"strings"
	"unicode/utf8"

	gen "parley/gen/projects"
	"parley/impl/core/project"
	"parley/impl/httpd"
)

// messagesPerPage is how many messages a page holds.
const messagesPerPage = 20

// agentRunes bounds what is kept of what a client calls itself.
const agentRunes = 512

type messages struct {
	service *project.Service
	base    base
}

// ListProjectMessages lists a conversation's questions with their answers.
func (m messages) ListProjectMessages(ctx context.Context, request gen.ListProjectMessagesRequestObject) (gen.ListProjectMessagesResponseObject, error) {
	c, err := m.service.Conversation(ctx, httpd.Caller(ctx).AccountID, request.ProjectID, request.SessionID)
	if err != nil {
		return nil, err
	}
	page := int(*request.Params.Page)
	rows, total, err := m.service.Prompts(ctx, c, filter(page, messagesPerPage, string(*request.Params.Order), ""))
	if err != nil {
		return nil, err
	}
	return gen.ListProjectMessages200JSONResponse{Status: success, Data: gen.ProjectMessagePage{
		Conversation: toAPIProjectConversation(c),
		Messages:     toAPIProjectMessagePaginator(m.base.pageOf(ctx, page, messagesPerPage, len(rows), total), c, rows),
	}}, nil
}

// SendProjectMessage answers a message.
func (m messages) SendProjectMessage(ctx context.Context, request gen.SendProjectMessageRequestObject) (gen.SendProjectMessageResponseObject, error) {
	body, params := request.Body, request.Params
	live, options, err := m.service.Ask(ctx, request.SessionID, project.Question{
		Caller: httpd.Caller(ctx), ProjectID: request.ProjectID, Prompt: body.Prompt, Persona: text(body.CustomPersona), Model: text(body.ChatbotModel),
		ResponseSource: text(body.ResponseSource), Lang: first(text(body.Lang), text(params.Lang)), Metadata: metadata(ctx, text(params.ExternalID), "api"),
	})
	if err != nil {
		return nil, err
	}
	if isTrue(body.Stream) || isTrue(params.Stream) || httpd.WantsEvents(ctx) {
		return stream{ctx: ctx, live: live}, nil
	}
	answer, err := live.Wait(ctx)
	if err != nil {
		return nil, err
	}
	return gen.SendProjectMessage200JSONResponse{
		Body: toAPIProjectAnswerSent(answer, options), Headers: gen.SendProjectMessage200ResponseHeaders{ParleyTurn: live.ID},
	}, nil
}

// metadata says where the request came from.
func metadata(ctx context.Context, externalID, source string) project.Metadata {
	agent := strings.ReplaceAll(strings.ToValidUTF8(requestOf(ctx).UserAgent(), ""), "\x00", "")
	if utf8.RuneCountInString(agent) > agentRunes {
		agent = string([]rune(agent)[:agentRunes])
	}
	return project.Metadata{UserIP: httpd.ClientIP(ctx), UserAgent: agent, ExternalID: externalID, RequestSource: source}
}

// GetProjectMessage returns a question with its answer.
func (m messages) GetProjectMessage(ctx context.Context, request gen.GetProjectMessageRequestObject) (gen.GetProjectMessageResponseObject, error) {
	c, err := m.service.Conversation(ctx, httpd.Caller(ctx).AccountID, request.ProjectID, request.SessionID)
	if err != nil {
		return nil, err
	}
	row, err := m.service.Prompt(ctx, c, request.PromptID)
	if err != nil {
		return nil, err
	}
	return gen.GetProjectMessage200JSONResponse{Data: toAPIProjectMessage(c, row), Status: success}, nil
}

// UpdateMessageFeedback judges an answer.
func (m messages) UpdateMessageFeedback(ctx context.Context, request gen.UpdateMessageFeedbackRequestObject) (gen.UpdateMessageFeedbackResponseObject, error) {
	caller := httpd.Caller(ctx)
	c, err := m.service.Conversation(ctx, caller.AccountID, request.ProjectID, request.SessionID)
	if err != nil {
		return nil, err
	}
	row, err := m.service.Judge(ctx, caller, c, request.PromptID, request.Body.Reaction)
	if err != nil {
		return nil, err
	}
	return gen.UpdateMessageFeedback200JSONResponse{Data: toAPIProjectMessage(c, row), Status: success}, nil
}
