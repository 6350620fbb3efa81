package chats

import (
	"encoding/json"
	"fmt"
	"time"

	"parley/db"
	gen "parley/gen/chats"
	"parley/impl/core/chat"
	"parley/impl/core/flow"
	"parley/impl/core/turn"
)

// text is an optional member's value, "" when absent.
func text[T ~string](p *T) string {
	if p == nil {
		return ""
	}
	return string(*p)
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// timestamp is a time in the original server's form.
func timestamp(t time.Time) gen.ChatsTimestamp { return t.UTC().Format("2006-01-02 15:04:05.000Z") }

func toAPIChat(c db.Chat) gen.Chat {
	out := gen.Chat{
		ID: c.ID, Name: c.Name, FromType: gen.ChatFromType(c.FromType), FlowVersion: &c.FlowVersion, Status: gen.ChatStatus(c.Status),
		Reason: optional(c.Reason), Prompt: optional(c.Prompt), Owner: c.AccountID, Created: timestamp(c.CreatedAt), Updated: timestamp(c.UpdatedAt),
	}
	if c.FromType == chat.FromTemplate {
		out.FromTemplate = &c.FromID
	} else {
		out.FromFlow = &c.FromID
	}
	return out
}

func toAPIMessage(accountID, chatID string, m db.ChatMessage) gen.ChatMessage {
	return gen.ChatMessage{
		ID: m.ID, Chat: chatID, Type: gen.ChatMessageType(m.Type), Sender: m.Sender, Receiver: m.Receiver, Content: m.Content,
		Run: m.Run, Owner: accountID, Created: timestamp(m.CreatedAt),
	}
}

func toAPIMessageSent(c db.Chat, m db.ChatMessage) gen.ChatMessageSent {
	return gen.ChatMessageSent{
		ID: m.ID, Chat: c.ID, Type: gen.ChatMessageSentType(m.Type), Sender: m.Sender, Receiver: m.Receiver, Content: m.Content,
		Run: m.Run, Owner: c.AccountID, Created: timestamp(m.CreatedAt), Status: gen.ChatStatus(c.Status),
	}
}

func toAPIFlow(f db.Flow) (gen.Flow, error) {
	definition, err := toAPIDefinition(f.Definition)
	return gen.Flow{
		ID: f.ID, Name: f.Name, Description: f.Description, Version: f.Version, Flow: definition, Owner: f.AccountID,
		Created: timestamp(f.CreatedAt), Updated: timestamp(f.UpdatedAt),
	}, err
}

func toAPIFlows(rows []db.Flow) ([]gen.Flow, error) {
	list := make([]gen.Flow, len(rows))
	for i, row := range rows {
		var err error
		if list[i], err = toAPIFlow(row); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func toAPIDefinition(raw []byte) (d gen.FlowDefinition, err error) {
	if err = json.Unmarshal(raw, &d); err != nil {
		err = fmt.Errorf("decode definition of flow: %w", err)
	}
	return d, err
}

func toAPIProblems(problems []flow.Problem) []gen.FlowProblem {
	out := make([]gen.FlowProblem, len(problems))
	for i, p := range problems {
		out[i] = gen.FlowProblem{Node: optional(p.Node), Reason: p.Reason}
	}
	return out
}

var pieceForm = turn.FormOf(gen.ChatDelta{Content: turn.Hole})

// Encode is the stream of one turn of a chat: its pieces, then how it ended.
func Encode(v turn.View, e turn.Event) []turn.Frame {
	switch e.Kind {
	case turn.Delta:
		return v.Piece(chat.EventDelta, pieceForm, e.Text)
	case turn.Completed:
		return []turn.Frame{{Event: chat.EventEnd, Data: gen.ChatEnd{Status: gen.ChatStatusCompleted}}}
	case turn.Failed, turn.Cancelled:
		return []turn.Frame{{Event: "error", Data: gen.ChatsError{Detail: e.Text}}}
	}
	return nil // of reasoning and calls this surface tells nothing
}

// toAPIEvent is the data of an event as followers get it.
func toAPIEvent(accountID, chatID string, e chat.Event) any {
	switch e.Kind {
	case chat.EventStatus:
		return gen.ChatStatusChange{Status: gen.ChatStatus(e.Status.Status), Reason: optional(e.Status.Reason), Prompt: optional(e.Status.Prompt), Run: e.Status.Run}
	case chat.EventSpeaking:
		return gen.ChatSpeaking{Sender: e.Speaking.Sender, Receiver: e.Speaking.Receiver, TurnID: e.Speaking.TurnID}
	case chat.EventTool:
		c := e.Tool
		return gen.ChatToolCall{
			CallID: c.CallID, Agent: c.Agent, Name: c.Name, Arguments: c.Arguments, ToolID: optional(c.ToolID), State: gen.ChatToolCallState(c.State), Result: optional(c.Result),
		}
	case chat.EventMessage:
		return toAPIMessage(accountID, chatID, e.Message)
	case chat.EventEnd:
		return gen.ChatEnd{Status: gen.ChatStatus(e.Status.Status)}
	}
	return e.Delta
}
