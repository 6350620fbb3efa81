package characters

import (
	"context"
	"fmt"
	"strings"

	"parley/db"
	gen "parley/gen/characters"
	"parley/impl/core/agent"
	"parley/impl/core/model"
	"parley/impl/core/money"
	"parley/impl/core/provider"
	"parley/impl/core/turn"
)

// text is an optional member's value, "" when absent.
func text[T ~string](p *T) string {
	if p == nil {
		return ""
	}
	return string(*p)
}

func fromAPIPromptMessages(ms []gen.PromptMessage) []provider.Message {
	out := make([]provider.Message, len(ms))
	for i, m := range ms {
		role := provider.Role(m.Role)
		if m.Role == gen.PromptMessageRoleAgent {
			role = provider.RoleAssistant
		}
		out[i] = provider.Message{Role: role, Content: m.Content}
	}
	return out
}

func toAPIAgent(a db.Agent) gen.Agent {
	return gen.Agent{
		ID: a.ID, Name: a.Name, AppearancePrompt: agent.Appearance(a), PersonalityPrompt: a.PersonalityPrompt,
		Description: a.Description,
	}
}

// toAPIAgentWith shows an agent with its picture; the zero image is none.
func (p pictures) toAPIAgentWith(ctx context.Context, a db.Agent, avatar db.Image) gen.Agent {
	out := toAPIAgent(a)
	if avatar.ID != "" {
		address := p.url(ctx, avatar)
		out.AvatarURL = &address
	}
	return out
}

func toAPIConversation(c db.Conversation) gen.Conversation {
	return gen.Conversation{
		ID: c.ID, Title: c.Title, SystemPrompt: c.SystemPrompt, LLMID: text(c.ModelID),
		LastMessageAt: c.LastMessageAt.UTC(), AgentID: c.AgentID,
	}
}

func toAPIConversations(rows []db.Conversation) gen.ConversationList {
	out := make(gen.ConversationList, len(rows))
	for i, c := range rows {
		out[i] = toAPIConversation(c)
	}
	return out
}

// toAPIMessages shows messages with those of their pictures that are still there.
func (p pictures) toAPIMessages(ctx context.Context, rows []db.Message, shown map[string]db.Image) gen.MessageList {
	out := make(gen.MessageList, len(rows))
	for i, m := range rows {
		out[i] = gen.Message{ID: m.ID, Content: m.Content, Role: toAPIMessageRole(m.Role), CreatedAt: m.CreatedAt.UTC(), Citations: toAPIMessageCitations(turn.Cited(m.Citations.JSONText))}
		if picture, ok := shown[text(m.ImageID)]; ok {
			out[i].Image = p.toAPIMessageImage(ctx, picture)
		}
		for _, imageID := range m.ImageIDs {
			if picture, ok := shown[imageID]; ok {
				out[i].Images = append(out[i].Images, *p.toAPIMessageImage(ctx, picture))
			}
		}
		if len(out[i].Images) > 0 {
			out[i].Image = &out[i].Images[0]
		}
	}
	return out
}

func (p pictures) toAPIMessageImage(ctx context.Context, i db.Image) *gen.MessageImage {
	return &gen.MessageImage{ID: i.ID, URL: p.url(ctx, i)}
}

// toAPIMessageRole words the roles as seed 002 does: the model is the agent.
func toAPIMessageRole(role string) gen.MessageRole {
	if provider.Role(role) == provider.RoleAssistant {
		return gen.MessageRoleAgent
	}
	return gen.MessageRole(role)
}

func toAPIAnswer(a turn.Answer, verbose bool) gen.Message {
	m := gen.Message{ID: a.MessageID, Content: a.Content, Role: gen.MessageRoleAgent, CreatedAt: a.CreatedAt.UTC(), Citations: toAPIMessageCitations(a.Citations)}
	thought := a.Thought
	if thought == "" {
		thought = retrieval(a.Citations)
	}
	if verbose && thought != "" {
		m.ThoughtProcess = &thought
	}
	return m
}

// retrieval words how an answer was found; "" when it rests on no document.
func retrieval(cited []turn.Citation) string {
	if len(cited) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("I searched the agent's documents and rest on these:")
	for _, c := range cited {
		fmt.Fprintf(&b, "\n[%d] %s", c.N, c.Title)
		if c.URL != "" {
			b.WriteString(" " + c.URL)
		}
	}
	return b.String()
}

// toAPIMessageCitations shows what an answer rests on; nil for nothing.
func toAPIMessageCitations(cited []turn.Citation) []gen.MessageCitation {
	var out []gen.MessageCitation
	for _, c := range cited {
		one := gen.MessageCitation{Number: int32(c.N), DocumentID: c.PageID, Title: c.Title, Excerpt: c.Excerpt}
		if c.URL != "" {
			one.URL = &c.URL
		}
		out = append(out, one)
	}
	return out
}

func toAPIModels(rows []db.Model) gen.ModelList {
	out := make(gen.ModelList, len(rows))
	for i, m := range rows {
		out[i] = toAPIModel(m)
	}
	return out
}

// toAPIModel shows one price: of output for an llm, of a picture for an sd model.
func toAPIModel(m db.Model) gen.Model {
	out := gen.Model{ID: m.ID, Name: m.Name}
	if m.Kind == model.KindSD {
		price := money.Decimal(m.ImageMicros)
		out.CostPerImage = &price
		return out
	}
	maxContext, price := int64(m.ContextTokens), money.Decimal(m.OutputMicrosPer1K)
	out.MaxContext, out.CostPer1KTokens, out.Vision = &maxContext, &price, m.Vision
	return out
}
