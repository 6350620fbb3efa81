package webchat

import (
	"parley/db"
	gen "parley/gen/webchat"
	"parley/impl/core/money"
	"parley/impl/core/turn"
	"parley/impl/core/usage"
)

func toAPIWebchatAnswer(a turn.Answer) gen.WebchatAnswer {
	in, out := int64(a.Usage.InputTokens), int64(a.Usage.OutputTokens)
	return gen.WebchatAnswer{
		Success:   gen.WebchatAnswerSuccessTrue,
		SessionID: a.ConversationID,
		Content:   a.Content,
		Citations: toAPIWebchatCitations(a.Citations),
		Usage: gen.WebchatAnswerUsage{
			InputTokens: in, OutputTokens: out, TotalTokens: in + out, Cost: money.Decimal(a.CostMicros),
		},
	}
}

// toAPIWebchatCitations shows what an answer rests on: an empty list for nothing.
func toAPIWebchatCitations(cited []turn.Citation) []gen.WebchatCitation {
	out := make([]gen.WebchatCitation, len(cited))
	for i, c := range cited {
		out[i] = gen.WebchatCitation{SourceID: c.PageID, Title: c.Title, Excerpt: c.Excerpt}
		if c.URL != "" {
			out[i].URL = &c.URL
		}
	}
	return out
}

func toAPISession(c db.Conversation) gen.Session {
	return gen.Session{
		SessionID: c.ID, LastAt: c.LastMessageAt.UTC(), TotalTokens: c.InputTokens + c.OutputTokens, Preview: c.Preview,
	}
}

// toAPISessions takes the messages to show by session; nil shows none.
func toAPISessions(rows []db.Conversation, messages map[string][]db.Message) []gen.Session {
	out := make([]gen.Session, len(rows))
	for i, row := range rows {
		out[i] = toAPISession(row)
		if messages != nil {
			out[i].Messages = toAPISessionMessages(messages[row.ID])
		}
	}
	return out
}

func toAPISessionMessages(rows []db.Message) []gen.SessionMessage {
	out := make([]gen.SessionMessage, len(rows))
	for i, m := range rows {
		out[i] = gen.SessionMessage{
			ID: m.ID, Role: gen.SessionMessageRole(m.Role), Content: m.Content,
			Citations: toAPIWebchatCitations(turn.Cited(m.Citations.JSONText)), CreatedAt: m.CreatedAt.UTC(),
		}
	}
	return out
}

func toAPISessionPageMeta(page, perPage int, hasMore bool) gen.SessionPageMeta {
	return gen.SessionPageMeta{CurrentPage: int32(page), PerPage: int32(perPage), HasMore: hasMore}
}

func toAPIWebchatUsageReport(r usage.Report) gen.WebchatUsageReport {
	byModel := make([]gen.WebchatModelUsage, len(r.ByModel))
	for i, m := range r.ByModel {
		byModel[i] = gen.WebchatModelUsage{
			Model: m.ModelID, Requests: m.Requests, InputTokens: m.InputTokens, OutputTokens: m.OutputTokens,
			TotalTokens: m.InputTokens + m.OutputTokens, Cost: money.Decimal(m.CostMicros),
		}
	}
	return gen.WebchatUsageReport{
		Success: gen.WebchatUsageReportSuccessTrue,
		Usage: gen.WebchatUsageTotals{
			TotalRequests: r.Total.Requests, TotalInputTokens: r.Total.InputTokens, TotalOutputTokens: r.Total.OutputTokens,
			TotalTokens: r.Total.InputTokens + r.Total.OutputTokens, TotalCost: money.Decimal(r.Total.CostMicros),
		},
		ByModel: byModel,
	}
}
