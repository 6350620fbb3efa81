package main

import (
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"
)

// longConversations compares a turn's cost in conversations of 10,000 messages
// and of 10. A model reads the newest that fit its context, which are the same
// many in both, so that only what is stored differs.
func (b *bench) longConversations() error {
	g := b.rig
	p := program{Tokens: 32, AtOnce: true}
	if err := g.tell(p); err != nil {
		return err
	}
	if err := b.fillConversations(); err != nil {
		return err
	}
	sessions := func(kind string) lane {
		l := g.durable().oneKey()
		l.name, l.body = kind, fmt.Sprintf(`{"stream":%%s,"message":%q,"session_id":"sess_%s_%%d"}`, question, kind)
		return l
	}
	of := func(l lane) load {
		d := lane{addr: l.addr, path: l.path, keys: l.keys, body: "%s"}.load(4, false, p)
		d.Text, d.For, d.Bodies = p.text(), b.each, nil
		for i := range sameConversations {
			d.Bodies = append(d.Bodies, fmt.Sprintf(l.body, "false", i+1))
		}
		return d
	}
	lanes := []lane{sessions("short"), sessions("long")}
	runs, err := g.contest(b.report, "long conversations", b.rounds, lanes, of)
	if err != nil {
		return err
	}
	b.report.add(most("cost per turn in a conversation of 10,000 messages ÷ of 10", ratio(runs[1], runs[0], costPerRequest), 1.2, 1.0, "").
		with("CPU of server and Postgres: %.0f µs ÷ %.0f µs; the context of %d tokens is full in both", middle(runs[1], costPerRequest), middle(runs[0], costPerRequest), contextTokens))
	return nil
}

// sameConversations is how many there are of each length: as many, so that what the turns add is the same in both.
const sameConversations = 20

// fillConversations stores conversations of the first account, of 10,000 messages and of 10.
func (b *bench) fillConversations() error {
	pool, err := sqlx.ConnectContext(b.rig.ctx, "postgres", b.rig.postgres.DSN())
	if err != nil {
		return err
	}
	defer pool.Close()
	for kind, messages := range map[string]int{"long": 10_000, "short": 10} {
		_, err := pool.ExecContext(b.rig.ctx, `insert into conversations (account_id, conversation_id, surface, app_id, title, system_prompt, last_seq, created_at, last_message_at)
			select k.account_id, 'sess_' || $1 || '_' || c, 'webchat', k.app_id, '', '', $3, now(), now()
			from keys k, generate_series(1, $2::int) c where k.account_id = $4`, kind, sameConversations, messages, b.rig.main.accounts[0])
		if err != nil {
			return err
		}
		_, err = pool.ExecContext(b.rig.ctx, `insert into messages (account_id, conversation_id, seq, message_id, role, content, created_at)
			select $4, 'sess_' || $1 || '_' || c, s, 'msg_' || $1 || c || '_' || s, case when s % 2 = 1 then 'user' else 'assistant' end, $5, now()
			from generate_series(1, $2::int) c, generate_series(1, $3::int) s`,
			kind, sameConversations, messages, b.rig.main.accounts[0], strings.Repeat("word ", 300))
		if err != nil {
			return err
		}
	}
	_, err = pool.ExecContext(b.rig.ctx, "analyze")
	return err
}

// million are a million messages with the turns and the book that belong to them, spread over the accounts.
var million = []string{
	`insert into conversations (account_id, conversation_id, surface, app_id, title, system_prompt, last_seq, created_at, last_message_at)
		select k.account_id, 'sess_m' || c, 'webchat', k.app_id, '', '', 100, now() - c * interval '1 minute', now() - c * interval '1 minute'
		from (select account_id, app_id, row_number() over (order by account_id) as n from keys where name = 'tenant') k, generate_series(1, 10000) c
		where c % 64 = n - 1`,
	`insert into messages (account_id, conversation_id, seq, message_id, role, content, created_at)
		select account_id, conversation_id, s, 'msg_' || conversation_id || '_' || s, case when s % 2 = 1 then 'user' else 'assistant' end, repeat('words ', 40), created_at
		from conversations, generate_series(1, 100) s where conversation_id like 'sess_m%'`,
	`insert into turns (account_id, turn_id, surface, conversation_id, app_id, key_id, model_id, state, owner, lease_until, held_micros, created_at, ended_at)
		select account_id, 'turn_m' || message_id, 'webchat', conversation_id, 'app', 'key', 'mock', 'completed', 'srv', now(), 0, created_at, created_at
		from messages where role = 'user' and conversation_id like 'sess_m%'`,
	`insert into turn_events select account_id, turn_id, 1, '[]' from turns where turn_id like 'turn_m%'`,
	`vacuum analyze`,
}

// aMillion compares the cost of a turn on two servers, one of whose databases holds a million messages.
func (b *bench) aMillion() error {
	if !b.million {
		b.report.add(row{Measure: "cost per turn with 1 M messages stored ÷ empty", Missing: "asked for by -million, because filling takes more than a minute"})
		return nil
	}
	g := b.rig
	p := program{Tokens: 32, AtOnce: true}
	if err := g.tell(p); err != nil {
		return err
	}
	var lanes []lane
	for _, name := range []string{"empty", "full"} {
		dsn, err := g.database(name)
		if err != nil {
			return err
		}
		s, err := g.startServer(name, dsn)
		if err != nil {
			return err
		}
		defer func() { _ = s.stop() }()
		if err := g.furnish(s); err != nil {
			return err
		}
		inserts := million
		if name == "empty" {
			inserts = []string{`analyze`}
		}
		if err := b.fill(dsn, inserts); err != nil {
			return err
		}
		l := g.durable().on(s)
		l.keys = s.keys
		lanes = append(lanes, l)
	}
	of := func(l lane) load {
		d := l.load(16, false, p)
		d.For = b.each
		return d
	}
	if err := g.warm(lanes, of); err != nil {
		return err
	}
	runs, err := g.contest(b.report, "a million messages", b.rounds, lanes, of)
	if err != nil {
		return err
	}
	b.report.add(most("cost per turn with 1 M messages stored ÷ empty", ratio(runs[1], runs[0], costPerRequest), 1.2, 1.0, "").
		with("CPU of server and Postgres: %.0f µs ÷ %.0f µs; with 500,000 turns and their logs", middle(runs[1], costPerRequest), middle(runs[0], costPerRequest)))
	return nil
}
