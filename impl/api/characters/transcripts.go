package characters

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"time"

	"parley/db"
	gen "parley/gen/characters"
	"parley/impl/core/conversation"
	"parley/impl/core/image"
	"parley/impl/core/provider"
	"parley/impl/core/transcript"
	"parley/impl/httpd"
)

// transcriptMax is how many messages an export holds at most.
const transcriptMax = 10_000

type transcripts struct {
	pictures
	conversations *conversation.Service
	images        *image.Service
}

// ExportConversation writes a conversation down in the form that is asked for.
func (x transcripts) ExportConversation(ctx context.Context, request gen.ExportConversationRequestObject) (gen.ExportConversationResponseObject, error) {
	accountID := httpd.Caller(ctx).AccountID
	c, err := x.conversations.Get(ctx, accountID, surface, "", request.ConversationID)
	if err != nil {
		return nil, err
	}
	rows, err := x.conversations.DB.Messages(ctx, accountID, c.ID, 0, transcriptMax+1)
	if err != nil {
		return nil, err
	}
	rest := len(rows) > transcriptMax
	rows = rows[:min(len(rows), transcriptMax)]
	shown, err := x.images.Named(ctx, accountID, pictureIDs(rows))
	if err != nil {
		return nil, err
	}
	messages := x.toAPIMessages(ctx, rows, shown)
	if *request.Params.Format == gen.ExportConversationParamsFormatJSON {
		return gen.ExportConversation200JSONResponse{
			Body:    gen.Transcript{Conversation: toAPIConversation(c), Messages: messages, Truncated: rest, ExportedAt: time.Now().UTC()},
			Headers: gen.ExportConversation200ResponseHeaders{ContentDisposition: named(c, ".json")},
		}, nil
	}
	who, err := x.speaker(ctx, c)
	if err != nil {
		return nil, err
	}
	return written(*request.Params.Format, c, talk(c, who, messages, rest))
}

func pictureIDs(rows []db.Message) []string {
	var ids []string
	for _, row := range rows {
		if row.ImageID != nil {
			ids = append(ids, *row.ImageID)
		}
		ids = append(ids, row.ImageIDs...)
	}
	return ids
}

// speaker is how the agent of a conversation is called.
func (x transcripts) speaker(ctx context.Context, c db.Conversation) (string, error) {
	if c.AgentID == nil {
		return "agent", nil
	}
	a, err := x.conversations.DB.Agent(ctx, c.AccountID, *c.AgentID)
	if err == nil {
		return a.Name, nil
	}
	if errors.Is(err, db.ErrNotFound) {
		return "agent", nil // deleted; its conversations stay
	}
	return "", err
}

func talk(c db.Conversation, agentName string, messages gen.MessageList, rest bool) transcript.Conversation {
	t := transcript.Conversation{Title: c.Title, Exported: time.Now().UTC(), Truncated: rest, Messages: make([]transcript.Message, len(messages))}
	for i, m := range messages {
		t.Messages[i] = transcript.Message{Speaker: string(m.Role), At: m.CreatedAt, Text: m.Content}
		if m.Role == toAPIMessageRole(string(provider.RoleAssistant)) {
			t.Messages[i].Speaker = agentName
		}
		switch {
		case len(m.Images) > 0:
			for _, picture := range m.Images {
				t.Messages[i].Pictures = append(t.Messages[i].Pictures, picture.URL)
			}
		case m.Image != nil:
			t.Messages[i].Pictures = []string{m.Image.URL}
		}
	}
	return t
}

func named(c db.Conversation, extension string) string {
	return `attachment; filename="` + c.ID + extension + `"`
}

// page is a page to print that nothing can make act.
type page struct {
	gen.ExportConversation200TextHTMLResponse
}

// VisitExportConversationResponse writes the page.
func (p page) VisitExportConversationResponse(w http.ResponseWriter) error {
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src https: http:; sandbox")
	return p.ExportConversation200TextHTMLResponse.VisitExportConversationResponse(w)
}

func written(format gen.ExportConversationParamsFormat, c db.Conversation, t transcript.Conversation) (gen.ExportConversationResponseObject, error) {
	var out bytes.Buffer
	if format == gen.ExportConversationParamsFormatMarkdown {
		err := transcript.Markdown(&out, t)
		return gen.ExportConversation200TextMarkdownResponse{
			Body: &out, ContentLength: int64(out.Len()), Headers: gen.ExportConversation200ResponseHeaders{ContentDisposition: named(c, ".md")},
		}, err
	}
	err := transcript.Page(&out, t)
	return page{gen.ExportConversation200TextHTMLResponse{
		Body: &out, ContentLength: int64(out.Len()), Headers: gen.ExportConversation200ResponseHeaders{ContentDisposition: named(c, ".html")},
	}}, err
}
