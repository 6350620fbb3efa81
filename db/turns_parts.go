package db

// What the statements that begin and end turns are made of.

// settled spends the cost of turns from their accounts' own rows, after another part.
func settled(last string) string {
	return ` settled as (
			update accounts a
			set balance_micros = a.balance_micros + d.held - d.cost, held_micros = a.held_micros - d.held, spent_micros = a.spent_micros + d.cost
			from due d
			where a.account_id = d.account_id and d.purse = 0` + after(last) + `
			returning 1
		),`
}

const (
	// knownRows, before their number, tells the planner how many rows are sent: it
	// takes JSON for a hundred, and plans that are kept from when a table was
	// small would read it whole for them ever after. For a number that it does not
	// know, it expects ten. For the same reason what is looked up for each row
	// stands in a subquery of its own, which cannot become a join.
	knownRows = "limit "

	// isRunning keeps the planner from the index of running turns, which it takes
	// for nearly empty, as it is while statistics are made: it would read all of
	// it for each row that is sent.
	isRunning = "t.state || '' = 'running'"

	// due is what the turns held and cost, for each row that pays.
	due = ` due as materialized (
			select account_id, purse, sum(held_micros)::bigint as held, sum(cost_micros)::bigint as cost
			from ended
			where held_micros > 0
			group by account_id, purse
		),`

	// givenBack gives back what turns occupied beside money of their accounts' own
	// rows. Each kind of rows is updated after those before it.
	givenBack = ` left_stream as (
			update stream_gates g
			set running = g.running - c.turns
			from (select account_id, key_id, count(*) as turns from ended where in_stream group by account_id, key_id) c
			where g.account_id = c.account_id and g.key_id = c.key_id
			returning 1
		), corrected as (
			update token_windows w
			set tokens = array(
				select u.n + coalesce((select sum(m.n) from unnest(c.at, c.more) m(s, n) where m.s = u.s), 0)::bigint
				from unnest(w.seconds, w.tokens) with ordinality u(s, n, i)
				order by u.i)
			from (
				select account_id, token_bucket, array_agg(token_second) as at, array_agg(input_tokens + output_tokens - token_charge) as more
				from ended
				where token_bucket is not null
				group by account_id, token_bucket
			) c
			where w.account_id = c.account_id and w.bucket = c.token_bucket and (select count(*) from left_stream) >= 0
			returning 1
		), budgeted as (
			update budgets b
			set held_micros = b.held_micros - d.held, spent_micros = b.spent_micros + d.cost
			from (
				select e.account_id, h.budget_id, h.start, sum(e.held_micros)::bigint as held, sum(e.cost_micros)::bigint as cost
				from ended e
				cross join unnest(e.budget_ids, e.budget_starts) h(budget_id, start)
				group by e.account_id, h.budget_id, h.start
			) d
			where b.account_id = d.account_id and b.budget_id = d.budget_id and b.period_start = d.start
				and (select count(*) from corrected) >= 0
			returning 1
		), settled_in_purse as (
			update purses p
			set balance_micros = p.balance_micros + d.held - d.cost, held_micros = p.held_micros - d.held, spent_micros = p.spent_micros + d.cost
			from due d
			where p.account_id = d.account_id and p.purse = d.purse and (select count(*) from budgeted) >= 0
			returning 1
		),`

	// asked adds the questions to their conversations.
	asked = ` touched as (
			update conversations c
			set last_seq = c.last_seq + 1, last_message_at = f.created_at
			from funded f
			where c.account_id = f.account_id and c.conversation_id = f.conversation_id and not f.is_new and f.message_id <> ''
				and (select count(*) from held) >= 0
			returning c.account_id, c.conversation_id, c.last_seq
		), created as (
			insert into conversations (account_id, conversation_id, surface, app_id, agent_id, model_id, title,
				system_prompt, last_seq, created_at, last_message_at, end_user)
			select account_id, conversation_id, surface, app_id, agent_id, own_model_id, coalesce(title, ''), coalesce(system_prompt, ''),
				case when message_id <> '' then 1 else 0 end, created_at, created_at, own_end_user
			from funded
			where is_new
			returning account_id, conversation_id, last_seq
		), asked as (
			insert into messages (account_id, conversation_id, seq, message_id, role, content, turn_id, created_at, image_ids)
			select f.account_id, f.conversation_id, c.last_seq, f.message_id, 'user', coalesce(f.content, ''), f.turn_id, f.created_at, f.image_ids
			from (select * from touched union all select * from created) c
			join funded f on f.account_id = c.account_id and f.conversation_id = c.conversation_id
			where f.message_id <> ''
		),`

	// answered adds the answers and last events to conversations that are still there.
	answered = `conversation as (
			update conversations c
			set last_seq = c.last_seq + d.answers, last_message_at = coalesce(d.at, c.last_message_at), preview = coalesce(d.preview, c.preview),
				input_tokens = c.input_tokens + d.input, output_tokens = c.output_tokens + d.output
			from (
				select account_id, conversation_id, sum(input_tokens)::bigint as input, sum(output_tokens)::bigint as output,
					count(*) filter (where message_id <> '') as answers, max(ended_at) filter (where message_id <> '') as at,
					(array_agg(coalesce(preview, '') order by n desc) filter (where message_id <> ''))[1] as preview
				from ended
				where conversation_id is not null
				group by account_id, conversation_id
			) d
			where c.account_id = d.account_id and c.conversation_id = d.conversation_id and (select count(*) from settled) >= 0
			returning c.account_id, c.conversation_id, c.last_seq - d.answers as seq
		), answered as (
			insert into messages (account_id, conversation_id, seq, message_id, role, content, thought, citations,
				turn_id, model_id, created_at)
			select e.account_id, e.conversation_id, c.seq + row_number() over (partition by e.account_id, e.conversation_id order by e.n),
				e.message_id, 'assistant', coalesce(e.content, ''), coalesce(e.thought, ''), e.citations, e.turn_id, e.model_id, e.ended_at
			from ended e
			join conversation c on c.account_id = e.account_id and c.conversation_id = e.conversation_id
			where e.message_id <> ''
		), kept as (
			insert into turn_events (account_id, turn_id, first_event, events)
			select e.account_id, e.turn_id, e.first_event, e.events
			from ended e
			where e.events is not null and (e.conversation_id is null or exists (
				select 1 from conversation c where c.account_id = e.account_id and c.conversation_id = e.conversation_id))
			` + keepLonger + `
		), erased as (
			delete from turn_events v
			using ended e
			where v.account_id = e.account_id and v.turn_id = e.turn_id and e.conversation_id is not null and not exists (
				select 1 from conversation c where c.account_id = e.account_id and c.conversation_id = e.conversation_id)
		),`

	// told notes, for webhooks that want it, what they shall hear.
	told = ` told as (
			insert into webhook_events (account_id, event_id, kind, payload, created_at)
			select account_id, told_id, told_kind, told, ended_at
			from ended e
			where told_id <> '' and exists (
				select 1 from webhooks h where h.account_id = e.account_id and h.status = 'enabled' and e.told_kind = any(h.events))
			returning account_id, event_id, created_at
		), telling as (
			insert into jobs (account_id, job_id, kind, args, max_attempts, run_at, created_at)
			select account_id, event_id, '` + EventJob + `', '{}', 10, created_at, created_at
			from told
		),`

	// released lets Idempotency-Keys of turns that made nothing be used again.
	released = ` released as (
			delete from idempotency_keys k
			using ended e
			where k.account_id = e.account_id and k.app_id = e.app_id and k.idempotency_key = e.idempotency_key
				and k.turn_id = e.turn_id and e.nothing
		),`
)

// inTurns makes statements that want several turns of an account wait for each
// other, and for those inOrder, because no such statement touches rows of one
// kind in a certain order: they would deadlock. The statement of a single turn
// needs it when it has more than one row of a kind, which several tells. A lock
// of the rows would not do: to lock a row and then update it in one statement
// looks at an old version of it twice, and others wait in between.
//
// A statement of many waits for no lock for long. It fails then, and each turn
// gets a statement of its own: the turns of an account whose rows somebody
// holds must not keep those of others waiting.
func inTurns(several string) string {
	return `patience as materialized (
			select set_config('lock_timeout', case when count(*) > 1 then '500ms' else current_setting('lock_timeout') end, true)
			from want
		), taken as materialized (
			select pg_advisory_xact_lock(hashtextextended('turns of ' || account_id, 0))
			from (
				select distinct account_id
				from want
				where case when (select count(*) from want) > 1 then true else ` + several + ` end and (select count(*) from patience) > 0
				order by account_id
			) a
		),`
}

// inOrder is for statements that lock several rows of a kind in a certain order:
// they need not wait for each other, but for statements inTurns.
const inOrder = `in_order as materialized (
			select pg_advisory_xact_lock_shared(hashtextextended('turns of ' || $1::text, 0))
		)`
