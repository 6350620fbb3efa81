package talk

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"parley/db"
	"parley/impl/core/turn"
)

// Message is one entry of a talk. Number counts them in its order, not without gaps.
type Message struct {
	Number    int64
	ID        string
	Role      string // "system", "user", "assistant" or "tool"
	Sender    string // in a chat of agents; else ""
	Text      string
	TurnID    string          // "" when no turn made it
	ModelID   string          // likewise
	Passages  []turn.Citation // what it cites
	Images    []string
	CreatedAt time.Time
}

// Messages returns entries of a talk after a number, the oldest first.
func (s *Service) Messages(ctx context.Context, accountID string, t db.Talk, after int64, limit int) ([]Message, error) {
	switch {
	case t.Surface == "chats":
		return s.ofChat(ctx, accountID, t, after, limit)
	case t.Surface == "realtime":
		return s.ofSession(ctx, accountID, t, after, limit)
	case strings.HasPrefix(t.ID, "turn_"):
		return s.ofTurn(ctx, accountID, t, after)
	}
	rows, err := s.DB.Messages(ctx, accountID, t.ID, after, limit)
	messages := make([]Message, len(rows))
	for i, row := range rows {
		m := Message{Number: row.Seq, ID: row.ID, Role: row.Role, Text: row.Content, Images: row.ImageIDs, CreatedAt: row.CreatedAt}
		if row.TurnID != nil {
			m.TurnID = *row.TurnID
		}
		if row.ModelID != nil {
			m.ModelID = *row.ModelID
		}
		if row.ImageID != nil {
			m.Images = append(m.Images, *row.ImageID)
		}
		m.Passages = turn.Cited(row.Citations.JSONText)
		messages[i] = m
	}
	return messages, err
}

func (s *Service) ofChat(ctx context.Context, accountID string, t db.Talk, after int64, limit int) ([]Message, error) {
	rows, err := s.DB.ChatMessages(ctx, accountID, t.ID, after, limit)
	messages := make([]Message, len(rows))
	for i, row := range rows {
		messages[i] = Message{Number: row.Seq, ID: row.ID, Role: row.Type, Sender: row.Sender, Text: row.Content, CreatedAt: row.CreatedAt}
	}
	return messages, err
}

// ofSession counts the items of a realtime session, which have ranks but no numbers.
func (s *Service) ofSession(ctx context.Context, accountID string, t db.Talk, after int64, limit int) ([]Message, error) {
	rows, err := s.DB.RealtimeItems(ctx, accountID, t.ID, int(after)+limit)
	if err != nil {
		return nil, err
	}
	messages := []Message{}
	for i, row := range rows {
		if int64(i) < after {
			continue
		}
		var item struct {
			Type, Role, Name  string
			Arguments, Output string
			Content           []struct{ Text, Transcript string }
		}
		if err := json.Unmarshal([]byte(row.Item), &item); err != nil {
			return nil, fmt.Errorf("item %s: %w", row.ID, err)
		}
		m := Message{Number: int64(i) + 1, ID: row.ID, Role: item.Role, Sender: item.Name, Text: item.Arguments + item.Output, CreatedAt: row.CreatedAt}
		switch item.Type {
		case "function_call":
			m.Role = "assistant"
		case "function_call_output":
			m.Role = "tool"
		}
		for _, part := range item.Content {
			m.Text += part.Text + part.Transcript
		}
		messages = append(messages, m)
	}
	return messages, nil
}

// ofTurn is what the log of an answer keeps: the question, on some surfaces, and the answer.
func (s *Service) ofTurn(ctx context.Context, accountID string, t db.Talk, after int64) ([]Message, error) {
	batches, err := s.DB.TurnEvents(ctx, accountID, t.ID, 0)
	if err != nil {
		return nil, err
	}
	question, answer := "", strings.Builder{}
	for _, batch := range batches {
		events, err := turn.Unpack(batch)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			switch e.Kind {
			case turn.Asked:
				if read := s.Asked[t.Surface]; read != nil {
					question = read(e.Text)
				}
			case turn.Delta:
				answer.WriteString(e.Text)
			}
		}
	}
	messages := []Message{
		{Number: 1, ID: t.ID, Role: "user", Text: question, TurnID: t.ID, CreatedAt: t.CreatedAt},
		{Number: 2, ID: t.ID, Role: "assistant", Text: answer.String(), TurnID: t.ID, CreatedAt: t.LastMessageAt},
	}
	if t.ModelID != nil {
		messages[1].ModelID = *t.ModelID
	}
	if question == "" {
		messages = messages[1:]
	}
	return messages[min(int(after), len(messages)):], nil
}

// Running is the turn that is making an answer in a talk; "" when none is.
func (s *Service) Running(ctx context.Context, accountID string, t db.Talk) (string, error) {
	if !strings.HasPrefix(t.ID, "turn_") {
		return s.DB.RunningTurn(ctx, accountID, t.ID)
	}
	row, err := s.DB.Turn(ctx, accountID, t.ID)
	if err != nil || row.State != db.TurnRunning {
		return "", err
	}
	return t.ID, nil
}
