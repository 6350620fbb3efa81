package characters

import (
	"context"
	"strconv"

	gen "parley/gen/characters"
	"parley/impl/core/conversation"
	"parley/impl/core/fault"
	"parley/impl/core/image"
	"parley/impl/core/turn"
	"parley/impl/httpd"
)

type messages struct {
	pictures
	conversations *conversation.Service
	images        *image.Service
}

// ListMessages lists a conversation's messages, the oldest first.
func (m messages) ListMessages(ctx context.Context, request gen.ListMessagesRequestObject) (gen.ListMessagesResponseObject, error) {
	caller, limit := httpd.Caller(ctx), int(*request.Params.Limit)
	c, err := m.conversations.Get(ctx, caller.AccountID, surface, "", request.ConversationID)
	if err != nil {
		return nil, err
	}
	// A cursor that we did not make is before every message.
	after, _ := strconv.ParseInt(text(request.Params.Cursor), 10, 64)
	rows, err := m.conversations.DB.Messages(ctx, caller.AccountID, c.ID, after, limit+1)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(rows) > limit {
		rows = rows[:limit]
		link = httpd.NextPage("/api/v1/conversations/"+c.ID+"/messages", strconv.FormatInt(rows[limit-1].Seq, 10), limit)
	}
	shown, err := m.images.Named(ctx, caller.AccountID, pictureIDs(rows))
	if err != nil {
		return nil, err
	}
	return gen.ListMessages200JSONResponse{
		Body: m.toAPIMessages(ctx, rows, shown), Headers: gen.ListMessages200ResponseHeaders{Link: link},
	}, nil
}

// SendMessage stores a message and answers it.
func (m messages) SendMessage(ctx context.Context, request gen.SendMessageRequestObject) (gen.SendMessageResponseObject, error) {
	caller, body := httpd.Caller(ctx), request.Body
	c, err := m.conversations.Get(ctx, caller.AccountID, surface, "", request.ConversationID)
	if err != nil {
		return nil, err
	}
	shown, forget, err := m.take(ctx, c.ID, body.Images)
	if err != nil {
		return nil, err
	}
	live, err := m.conversations.Ask(ctx, turn.Input{
		Caller: caller, Surface: surface, Conversation: &c, ModelID: text(body.LLMID), Question: body.Content, ImageIDs: shown,
		Options: streamOptions{Verbose: *body.Verbose}, Awaited: true, Cites: true,
	})
	if err != nil {
		forget()
		return nil, err
	}
	if *body.Stream || httpd.WantsEvents(ctx) {
		return stream{ctx: ctx, live: live}, nil
	}
	answer, err := live.Wait(ctx)
	if err != nil {
		return nil, err
	}
	return gen.SendMessage201JSONResponse{
		Body:    toAPIAnswer(answer, *body.Verbose),
		Headers: gen.SendMessage201ResponseHeaders{ParleyTurn: live.ID},
	}, nil
}

var errOnePicture = fault.New(fault.Invalid, "A picture of a message has an id or a url.")

// take finds the pictures of a message, and stores those that come with it. forget removes these again.
func (m messages) take(ctx context.Context, conversationID string, sent []gen.MessagePicture) (imageIDs []string, forget func(), err error) {
	caller := httpd.Caller(ctx)
	var named, taken []string
	forget = func() {
		kept := context.WithoutCancel(ctx)
		for _, imageID := range taken {
			_ = m.images.DeleteUpload(kept, caller.AccountID, imageID) // it goes with its conversation at the latest
		}
	}
	for _, picture := range sent {
		if (picture.ID == nil) == (picture.URL == nil) {
			return nil, nil, errOnePicture
		}
		if picture.ID != nil {
			named = append(named, *picture.ID)
		}
	}
	if _, err := m.images.Find(ctx, caller.AccountID, named); err != nil {
		return nil, nil, err
	}
	for _, picture := range sent {
		if picture.ID != nil {
			imageIDs = append(imageIDs, *picture.ID)
			continue
		}
		stored, err := m.store(ctx, conversationID, *picture.URL)
		if err != nil {
			forget()
			return nil, nil, err
		}
		imageIDs, taken = append(imageIDs, stored), append(taken, stored)
	}
	return imageIDs, forget, nil
}

func (m messages) store(ctx context.Context, conversationID, dataURL string) (string, error) {
	raw, err := image.DataURL(dataURL)
	if err != nil {
		return "", err
	}
	stored, err := m.images.Take(ctx, image.Upload{Caller: httpd.Caller(ctx), Raw: raw, ConversationID: &conversationID})
	return stored.ID, err
}
