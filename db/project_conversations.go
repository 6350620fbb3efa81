package db

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx/types"
)

// ProjectConversation is a conversation with a project.
type ProjectConversation struct {
	AccountID string    `db:"account_id"`
	SessionID string    `db:"session_id"` // the conversation's id
	ProjectID int64     `db:"project_id"`
	Number    int64     `db:"number"`
	CreatedBy *int64    `db:"created_by"` // the number of who began it; nil for a visitor whom nobody named
	LicenseID *int64    `db:"license_id"` // with whose key it was begun; nil without
	Name      string    `db:"title"`
	CreatedAt time.Time `db:"created_at"`
	UpdatedAt time.Time `db:"updated_at"` // or its latest message
}

const projectConversationSelect = `
		select p.account_id, p.session_id, p.project_id, p.number, p.created_by, p.license_id, c.title, c.created_at,
			greatest(p.updated_at, c.last_message_at) as updated_at
		from project_conversations p
		join conversations c on c.account_id = p.account_id and c.conversation_id = p.session_id`

// InsertProjectConversation stores what a stored conversation is on the projects surface.
func (q *Queries) InsertProjectConversation(ctx context.Context, c ProjectConversation) error {
	_, err := q.exec(ctx, `
		insert into project_conversations (account_id, session_id, project_id, number, created_by, license_id, updated_at)
		values ($1, $2, $3, $4, $5, $6, $7)
		on conflict (account_id, session_id) do nothing`,
		c.AccountID, c.SessionID, c.ProjectID, c.Number, c.CreatedBy, c.LicenseID, c.UpdatedAt)
	return err
}

// ProjectConversation returns one conversation of a project.
func (q *Queries) ProjectConversation(ctx context.Context, accountID string, projectID int64, sessionID string) (ProjectConversation, error) {
	var c ProjectConversation
	err := q.get(ctx, &c, projectConversationSelect+`
		where p.account_id = $1 and p.project_id = $2 and p.session_id = $3`,
		accountID, projectID, sessionID)
	return c, err
}

// Whose conversations a list shows.
const (
	ByAnybody = "all"
	ByVisitor = "anonymous"   // whom nobody named
	ByTeam    = "team_member" // keys and people of the account
	ByNumber  = "me"          // whose number it is
)

// ProjectConversationFilter picks a page of a project's conversations.
type ProjectConversationFilter struct {
	ListFilter
	ProjectID int64
	By        string // one of ByAnybody, ByVisitor, ByTeam, ByNumber
	Me        int64  // for ByNumber
}

const projectConversationsWanted = `
		where p.account_id = $1 and p.project_id = $2 and ($3 = '' or position(lower($3) in lower(c.title)) > 0)
			and case $4 when 'anonymous' then p.created_by is null when 'team_member' then p.created_by is not null
				when 'me' then p.created_by = $5 else true end`

// ProjectConversations lists conversations of a project.
func (q *Queries) ProjectConversations(ctx context.Context, accountID string, f ProjectConversationFilter) ([]ProjectConversation, error) {
	found := []ProjectConversation{}
	err := q.list(ctx, &found, projectConversationSelect+projectConversationsWanted+`
		order by p.number `+f.order()+`
		offset $6 limit $7`,
		accountID, f.ProjectID, f.Name, f.By, f.Me, f.Offset, f.Limit)
	return found, err
}

// CountProjectConversations counts what ProjectConversations lists on all pages.
func (q *Queries) CountProjectConversations(ctx context.Context, accountID string, f ProjectConversationFilter) (int64, error) {
	var n int64
	err := q.get(ctx, &n, `
		select count(*)
		from project_conversations p
		join conversations c on c.account_id = p.account_id and c.conversation_id = p.session_id`+projectConversationsWanted,
		accountID, f.ProjectID, f.Name, f.By, f.Me)
	return n, err
}

// RenameProjectConversation gives a conversation of a project another name.
func (q *Queries) RenameProjectConversation(ctx context.Context, accountID string, projectID int64, sessionID, name string, at time.Time) error {
	return q.execOne(ctx, `
		with renamed as (
			update project_conversations
			set updated_at = $5
			where account_id = $1 and project_id = $2 and session_id = $3
			returning session_id
		)
		update conversations c
		set title = $4
		from renamed r
		where c.account_id = $1 and c.conversation_id = r.session_id`,
		accountID, projectID, sessionID, name, at)
}

// EraseProjectConversations removes at most limit conversations of a project
// with everything that was said in them: those whose latest message is older than
// a time, or one of them when sessionID is not "". It returns how many.
func (d *DB) EraseProjectConversations(ctx context.Context, accountID string, projectID int64, sessionID string, before time.Time, limit int) (int64, error) {
	return d.eraseThose(ctx, accountID, `
		select p.session_id
		from project_conversations p
		join conversations c on c.account_id = p.account_id and c.conversation_id = p.session_id
		where p.account_id = $1 and p.project_id = $2 and ($3 = '' or p.session_id = $3) and c.last_message_at < $4
			and not exists (
				select 1 from turns t
				where t.account_id = $1 and t.conversation_id = p.session_id and t.state = 'running')
		limit $5`,
		accountID, projectID, sessionID, before, limit)
}

// RunningProjectTurns returns the turns that are making answers in a project, or in one of its conversations.
func (q *Queries) RunningProjectTurns(ctx context.Context, accountID string, projectID int64, sessionID string) ([]string, error) {
	ids := []string{}
	err := q.list(ctx, &ids, `
		select t.turn_id
		from project_conversations p
		join turns t on t.account_id = p.account_id and t.conversation_id = p.session_id
		where p.account_id = $1 and p.project_id = $2 and ($3 = '' or p.session_id = $3) and t.state = 'running'`,
		accountID, projectID, sessionID)
	return ids, err
}

// Prompt is a question to a project with what there is of its answer.
type Prompt struct {
	SessionID  string             `db:"session_id"`
	TurnID     string             `db:"turn_id"`
	Options    types.JSONText     `db:"options"` // the surface's: its number and where it came from
	State      string             `db:"state"`   // of the turn
	Question   string             `db:"question"`
	Answer     string             `db:"answer"` // "" while there is none
	Citations  types.NullJSONText `db:"citations"`
	CreatedAt  time.Time          `db:"created_at"`
	EndedAt    *time.Time         `db:"ended_at"`
	Reaction   *string            `db:"reaction"`
	JudgedBy   *int64             `db:"judged_by"`
	JudgedAt   *time.Time         `db:"judged_at"` // nil: never judged
	RejudgedAt *time.Time         `db:"rejudged_at"`
}

const promptSelect = `
		select t.conversation_id as session_id, t.turn_id, t.options, t.state, asked.content as question, coalesce(answered.content, '') as answer,
			answered.citations, t.created_at, t.ended_at, f.reaction, f.judged_by, f.created_at as judged_at, f.updated_at as rejudged_at
		from messages asked
		join turns t on t.account_id = asked.account_id and t.turn_id = asked.turn_id and t.options ? 'prompt_id'
		left join messages answered on answered.account_id = asked.account_id and answered.conversation_id = asked.conversation_id
			and answered.turn_id = asked.turn_id and answered.role = 'assistant'
		left join project_feedback f on f.account_id = asked.account_id and f.session_id = asked.conversation_id
			and f.prompt_id = (t.options->>'prompt_id')::bigint
		where asked.account_id = $1 and asked.conversation_id = $2 and asked.role = 'user'`

// Prompts lists the questions of a conversation with their answers.
func (q *Queries) Prompts(ctx context.Context, accountID, sessionID string, f ListFilter) ([]Prompt, error) {
	found := []Prompt{}
	err := q.list(ctx, &found, promptSelect+`
		order by asked.seq `+f.order()+`
		offset $3 limit $4`,
		accountID, sessionID, f.Offset, f.Limit)
	return found, err
}

// Prompt returns one question of a conversation.
func (q *Queries) Prompt(ctx context.Context, accountID, sessionID string, promptID int64) (Prompt, error) {
	var p Prompt
	err := q.get(ctx, &p, promptSelect+`
			and (t.options->>'prompt_id')::bigint = $3`,
		accountID, sessionID, promptID)
	return p, err
}

// CountPrompts counts the questions of a conversation.
func (q *Queries) CountPrompts(ctx context.Context, accountID, sessionID string) (int64, error) {
	var n int64
	err := q.get(ctx, &n, `
		select count(*)
		from messages
		where account_id = $1 and conversation_id = $2 and role = 'user'`,
		accountID, sessionID)
	return n, err
}

// PutFeedback stores how an answer was judged; a reaction of nil takes it back.
func (q *Queries) PutFeedback(ctx context.Context, accountID, sessionID string, promptID int64, reaction *string, by int64, at time.Time) error {
	_, err := q.exec(ctx, `
		insert into project_feedback (account_id, session_id, prompt_id, reaction, judged_by, created_at, updated_at)
		values ($1, $2, $3, $4, $5, $6, $6)
		on conflict (account_id, session_id, prompt_id) do update
		set reaction = excluded.reaction, judged_by = excluded.judged_by, updated_at = excluded.updated_at`,
		accountID, sessionID, promptID, reaction, by, at)
	return err
}
