package projects

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"parley/db"
	gen "parley/gen/projects"
	"parley/impl/core/project"
	"parley/impl/core/turn"
)

// success is the status of every envelope that is no error.
const success = "success"

func isTrue(p *bool) bool { return p != nil && *p }

// text is an optional member's value, "" when absent.
func text[T ~string](p *T) string {
	if p == nil {
		return ""
	}
	return string(*p)
}

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// instant is a time with exactly six digits behind the second, as clients of this API parse it.
func instant(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000000Z") }

// toAPIProject shows a project: whether it can answer yet, and how pages embed it.
func toAPIProject(p db.Project, active bool, codes embedCodes) gen.Project {
	out := gen.Project{
		ID: p.ID, IsChatActive: active, ProjectName: p.Name, SitemapPath: p.SitemapPath, UserID: p.CreatedBy, TeamID: project.Number(p.AccountID),
		CreatedAt: instant(p.CreatedAt), UpdatedAt: instant(p.UpdatedAt), Type: gen.ProjectTypeSITEMAP,
		IsShared: p.Shared, AreLicensesAllowed: p.Licensed, EmbedCode: codes.inPlace, LiveChatCode: codes.bubble,
	}
	if p.Shared {
		out.ShareableSlug = p.Slug
	}
	return out
}

func toAPIProjectPaginator(p pager, items []gen.Project) gen.ProjectPaginator {
	return gen.ProjectPaginator{
		CurrentPage: p.page, Data: items, FirstPageURL: p.address(1), From: orNull(p.from), LastPage: p.last, LastPageURL: p.address(p.last),
		NextPageURL: p.neighbour(p.page + 1), Path: p.path, PerPage: p.perPage, PrevPageURL: p.neighbour(p.page - 1), To: orNull(p.to), Total: p.total,
	}
}

func toAPIProjectStats(s project.Stats) gen.ProjectStats {
	return gen.ProjectStats{
		PagesFound: s.Found, PagesCrawled: s.Crawled, PagesIndexed: s.Indexed, CrawlCreditsUsed: s.Crawled, QueryCreditsUsed: s.Queries,
		TotalQueries: s.Queries, TotalWordsIndexed: s.Words, IndexCreditsUsed: s.Indexed,
	}
}

func toAPIProjectConversation(c db.ProjectConversation) gen.ProjectConversation {
	return gen.ProjectConversation{
		ID: c.Number, Name: c.Name, ProjectID: c.ProjectID, CreatedBy: c.CreatedBy, SessionID: c.SessionID,
		CreatedAt: instant(c.CreatedAt), UpdatedAt: instant(c.UpdatedAt),
	}
}

func toAPIProjectConversationPaginator(p pager, rows []db.ProjectConversation) gen.ProjectConversationPaginator {
	items := make([]gen.ProjectConversation, len(rows))
	for i, row := range rows {
		items[i] = toAPIProjectConversation(row)
	}
	return gen.ProjectConversationPaginator{
		CurrentPage: p.page, Data: items, FirstPageURL: p.address(1), From: orNull(p.from), LastPage: p.last, LastPageURL: p.address(p.last),
		NextPageURL: p.neighbour(p.page + 1), Path: p.path, PerPage: p.perPage, PrevPageURL: p.neighbour(p.page - 1), To: orNull(p.to), Total: p.total,
	}
}

func toAPIProjectMessageMetadata(m project.Metadata) gen.ProjectMessageMetadata {
	return gen.ProjectMessageMetadata{
		UserIP: m.UserIP, UserAgent: m.UserAgent, ExternalID: m.ExternalID, RequestSource: gen.ProjectMessageMetadataRequestSource(m.RequestSource),
	}
}

// toAPIProjectAnswerSent is exactly the seed's object.
func toAPIProjectAnswerSent(a turn.Answer, o project.Options) gen.ProjectAnswerSent {
	return gen.ProjectAnswerSent{Status: success, Data: gen.ProjectSentMessage{
		ID: o.PromptID, CreatedAt: instant(o.AskedAt), UpdatedAt: instant(a.CreatedAt), UserID: o.UserID, UserQuery: o.Prompt,
		OpenaiResponse: a.Content, Citations: citations(o, a.Citations), Metadata: toAPIProjectMessageMetadata(o.Metadata),
	}}
}

// citations are the numbers of the pages that an answer rests on, each once; nil when it names none.
func citations(o project.Options, cited []turn.Citation) []int64 {
	if o.Uncited {
		return nil
	}
	var out []int64
	for _, c := range cited {
		n, err := strconv.ParseInt(c.PageID, 10, 64)
		if err == nil && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

func toAPIProjectMessage(c db.ProjectConversation, p db.Prompt) gen.ProjectMessage {
	o := project.OptionsOf(json.RawMessage(p.Options))
	out := gen.ProjectMessage{
		ID: o.PromptID, CreatedAt: instant(o.AskedAt), UpdatedAt: instant(o.AskedAt), UserID: o.UserID, UserQuery: p.Question, OpenaiResponse: p.Answer,
		ConversationID: c.Number, Metadata: toAPIProjectMessageMetadata(o.Metadata),
	}
	var cited []turn.Citation
	_ = json.Unmarshal(p.Citations.JSONText, &cited) // stored by the turn in this shape; nothing without any
	out.Citations = citations(o, cited)
	if p.EndedAt != nil {
		out.UpdatedAt = instant(*p.EndedAt)
	}
	if p.JudgedAt != nil {
		out.ResponseFeedback = &gen.ProjectMessageFeedback{
			CreatedAt: instant(*p.JudgedAt), UpdatedAt: instant(*p.RejudgedAt), UserID: p.JudgedBy, Reaction: p.Reaction,
		}
	}
	return out
}

func toAPIProjectMessagePaginator(p pager, c db.ProjectConversation, rows []db.Prompt) gen.ProjectMessagePaginator {
	items := make([]gen.ProjectMessage, len(rows))
	for i, row := range rows {
		items[i] = toAPIProjectMessage(c, row)
	}
	return gen.ProjectMessagePaginator{
		CurrentPage: p.page, Data: items, FirstPageURL: p.address(1), From: orNull(p.from), LastPage: p.last, LastPageURL: p.address(p.last),
		NextPageURL: p.neighbour(p.page + 1), Path: p.path, PerPage: p.perPage, PrevPageURL: p.neighbour(p.page - 1), To: orNull(p.to), Total: p.total,
	}
}
