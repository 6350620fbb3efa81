package db

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"
)

// Talk is what was said in one place on any surface: a conversation, a chat of a
// flow, or an answer without either.
type Talk struct {
	ID            string    `db:"talk_id"`
	Surface       string    `db:"surface"`
	AppID         string    `db:"app_id"`
	AgentID       *string   `db:"agent_id"`
	ProjectID     *int64    `db:"project_id"`
	ModelID       *string   `db:"model_id"`
	EndUser       *string   `db:"end_user"`
	Title         string    `db:"title"`
	Preview       string    `db:"preview"` // the beginning of its newest answer, or of the only one
	InputTokens   int64     `db:"input_tokens"`
	OutputTokens  int64     `db:"output_tokens"`
	CreatedAt     time.Time `db:"created_at"`
	LastMessageAt time.Time `db:"last_message_at"`
	Place         string    `db:"place"` // in the order of its source
	Fits          bool      `db:"fits"`  // the filter; where it does not, the row only tells how far the walk went
	More          bool      `db:"more"`  // there is more of the source beyond the walk
}

// TalkSource is where talks are found, each in an order of its own.
type TalkSource string

// The sources. Those of conversations have the names of surfaces.
const (
	TalksOfWebchat    TalkSource = "webchat"
	TalksOfCharacters TalkSource = "characters"
	TalksOfEngagement TalkSource = "engagement"
	TalksOfRealtime   TalkSource = "realtime"
	TalksOfProjects   TalkSource = "projects" // of all projects
	TalksOfProject    TalkSource = "project"  // of the filter's project
	TalksOfChats      TalkSource = "chats"
	TalksOfTurns      TalkSource = "turns" // answers that belong to no conversation
)

// TalkSources are the sources of everything.
var TalkSources = []TalkSource{TalksOfWebchat, TalksOfCharacters, TalksOfEngagement, TalksOfRealtime, TalksOfProjects, TalksOfChats, TalksOfTurns}

// TalkFilter chooses talks of a source. Empty members choose nothing away.
type TalkFilter struct {
	Before    string // the place to go on from; "" begins with the newest
	AgentID   string
	ProjectID int64
	EndUser   string
	Pattern   string // of LIKE, in the title or a text
	Surface   string // of TalksOfTurns
	From, To  time.Time
	Walk      int // how many rows to look at
	Messages  int // how many messages to look for the pattern in
	Limit     int // how many talks to return
}

const (
	conversationWalk = `
			select conversation_id as place, conversation_id as talk_id, surface, app_id, agent_id, null::bigint as project_id, model_id, end_user, title,
				preview, input_tokens, output_tokens, created_at, last_message_at,
				case surface when 'realtime' then ` + realtimeItemsRead + ` else last_seq end as size
			from conversations
			where account_id = $1 and surface = $2 and `
	projectWalk = `
			select lpad(p.number::text, 16, '0') as place, c.conversation_id as talk_id, c.surface, c.app_id, c.agent_id, p.project_id, c.model_id,
				c.end_user, c.title, c.preview, c.input_tokens, c.output_tokens, c.created_at, c.last_message_at, c.last_seq as size
			from project_conversations p
			join conversations c on c.account_id = p.account_id and c.conversation_id = p.session_id
			where p.account_id = $1 and `
	chatWalk = `
			select chat_id as place, chat_id as talk_id, 'chats' as surface, app_id, null::text as agent_id, null::bigint as project_id, null::text as model_id,
				null::text as end_user, name as title, '' as preview, 0::bigint as input_tokens, 0::bigint as output_tokens, created_at,
				updated_at as last_message_at, last_message as size
			from chats
			where account_id = $1 and `
	turnWalk = `
			select turn_id as place, turn_id as talk_id, surface, app_id, null::text as agent_id, null::bigint as project_id, model_id, end_user, '' as title,
				'' as preview, input_tokens, output_tokens, created_at, coalesce(ended_at, created_at) as last_message_at, 1::bigint as size,
				conversation_id is null and not unstored and surface in ('openai', 'engagement') and ($2 = '' or surface = $2) as alone
			from turns
			where account_id = $1 and `

	// How much of what is not counted by messages is looked at.
	realtimeItemsRead = "200"

	saidInConversation = `exists (
				select 1 from messages m
				where m.account_id = $1 and m.conversation_id = w.talk_id and m.seq > (select last_seq from conversations c
					where c.account_id = $1 and c.conversation_id = w.talk_id) - $10 and m.content ilike $7)`
	saidInSession = saidInConversation + ` or exists (
				select 1
				from (
					select item from realtime_items i where i.account_id = $1 and i.conversation_id = w.talk_id order by rank desc limit ` + realtimeItemsRead + `
				) newest
				cross join lateral json_array_elements(case json_typeof(item->'content') when 'array' then item->'content' else '[]' end) part
				where part->>'text' ilike $7 or part->>'transcript' ilike $7)`
	saidInChat = `exists (
				select 1 from chat_messages m
				where m.account_id = $1 and m.chat_id = w.talk_id and m.seq > w.size - $10 and m.content ilike $7)`
	saidInTurn = `exists (select 1 where (` + turnText + `) ilike $7)`

	// turnText is what the log of turn w.talk_id keeps of question and answer.
	turnText = `
				select string_agg(e.value->>'text', '' order by v.first_event, e.n)
				from turn_events v
				cross join lateral jsonb_array_elements(v.events) with ordinality as e (value, n)
				where v.account_id = $1 and v.turn_id = w.talk_id and coalesce(e.value->>'kind', '') in ('', 'delta', 'asked')`
)

// walks are, by source, what is looked at, in which order, what of it is a talk, and what its preview is.
var walks = map[TalkSource]struct{ walk, after, order, said, is, preview string }{
	TalksOfWebchat:    {conversationWalk, "conversation_id < $3", "conversation_id", saidInConversation, "true", "w.preview"},
	TalksOfCharacters: {conversationWalk, "conversation_id < $3", "conversation_id", saidInConversation, "true", "w.preview"},
	TalksOfEngagement: {conversationWalk, "conversation_id < $3", "conversation_id", saidInConversation, "true", "w.preview"},
	TalksOfRealtime:   {conversationWalk, "conversation_id < $3", "conversation_id", saidInSession, "true", "w.preview"},
	TalksOfProjects:   {projectWalk, "p.number < $3::bigint", "p.number", saidInConversation, "true", "w.preview"},
	TalksOfProject:    {projectWalk + "p.project_id = $6 and ", "p.number < $3::bigint", "p.number", saidInConversation, "true", "w.preview"},
	TalksOfChats:      {chatWalk, "chat_id < $3", "chat_id", saidInChat, "true", "w.preview"},
	TalksOfTurns: {turnWalk, "turn_id < $3", "turn_id", saidInTurn,
		"w.alone and exists (select 1 from turn_events v where v.account_id = $1 and v.turn_id = w.talk_id)", "coalesce(left((" + turnText + "), 300), '')"},
}

// Talks walks a source from its newest talk, or from before a place, and returns
// those of the walk that fit, the newest first, at most so many. Where fewer fit,
// the last row is where the walk ended, which may not fit itself; no row is the
// end of the source. However large the account is, a walk looks at no more rows
// and messages than the filter says, but at one conversation in any case.
func (q *Queries) Talks(ctx context.Context, accountID string, source TalkSource, f TalkFilter) ([]Talk, error) {
	w, surface, to := walks[source], string(source), f.To
	if source == TalksOfTurns {
		surface = f.Surface
	}
	said := w.said
	if !strings.ContainsFunc(f.Pattern, func(r rune) bool { return r >= utf8.RuneSelf }) {
		said = strings.ReplaceAll(said, "content ilike", `content collate "C" ilike`) // finds the same, in half the time
	}
	if to.IsZero() {
		to = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	talks := []Talk{}
	err := q.list(ctx, &talks, `
		with given as (
			select $2::text, $6::bigint, $10::bigint -- which not all sources ask for
		), walked as materialized (
			select *, (sum(size) over (order by place desc) - size)::bigint as passed
			from (`+w.walk+ifGiven(f.Before, w.after)+`
				order by `+w.order+` desc
				limit $11) w
		), looked as materialized (
			select *
			from walked
			where $7 = '' or passed < $10
		), ends as materialized (
			select (select min(place) from looked) as place, (select count(*) from walked) >= $11
				or (select count(*) from looked) < (select count(*) from walked) as more
		), judged as (
			select w.*, `+w.is+` and ($4 = '' or agent_id = $4) and ($5 = '' or end_user = $5) and created_at >= $8 and created_at < $9
				and ($7 = '' or title ilike $7 or `+said+`) as fits
			from looked w
		), found as materialized (
			select *
			from judged
			where fits or place = (select place from ends)
			order by place desc
			limit $12
		)
		select talk_id, surface, app_id, agent_id, project_id, model_id, end_user, title, `+w.preview+` as preview, input_tokens, output_tokens,
			created_at, last_message_at, place, coalesce(fits, false) as fits, (select more from ends) as more
		from found w
		order by place desc`,
		accountID, surface, f.Before, f.AgentID, f.EndUser, f.ProjectID, f.Pattern, f.From, to, f.Messages, f.Walk, f.Limit)
	return talks, err
}

// Talk returns one talk of the account by its id; its Place, Fits and More say nothing.
func (q *Queries) Talk(ctx context.Context, accountID, talkID string) (Talk, error) {
	var t Talk
	err := q.get(ctx, &t, `
		select c.conversation_id as talk_id, c.surface, c.app_id, c.agent_id, p.project_id, c.model_id, c.end_user, c.title, c.preview,
			c.input_tokens, c.output_tokens, c.created_at, c.last_message_at
		from conversations c
		left join project_conversations p on p.account_id = c.account_id and p.session_id = c.conversation_id
		where c.account_id = $1 and c.conversation_id = $2
		union all
		select chat_id, 'chats', app_id, null, null, null, null, name, '', 0, 0, created_at, updated_at
		from chats
		where account_id = $1 and chat_id = $2
		union all
		select turn_id, surface, app_id, null, null, model_id, end_user, '', '', input_tokens, output_tokens, created_at, coalesce(ended_at, created_at)
		from turns
		where account_id = $1 and turn_id = $2 and conversation_id is null and not unstored and surface in ('openai', 'engagement')
			and exists (select 1 from turn_events v where v.account_id = $1 and v.turn_id = $2)`,
		accountID, talkID)
	return t, err
}

// RunningTurn returns the turn that is making an answer in a conversation; "" when none is.
func (q *Queries) RunningTurn(ctx context.Context, accountID, conversationID string) (string, error) {
	ids := []string{}
	err := q.list(ctx, &ids, `
		select turn_id
		from turns
		where account_id = $1 and conversation_id = $2 and state = 'running'
		order by turn_id desc
		limit 1`,
		accountID, conversationID)
	if len(ids) == 0 {
		return "", err
	}
	return ids[0], err
}
