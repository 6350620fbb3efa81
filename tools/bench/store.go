package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jmoiron/sqlx"

	"parley/db"
)

const (
	storeAccount  = "acct_store"
	conversations = 1000
	messagesEach  = 100
)

// statement is a method of the store and how pgbench runs the same SQL.
type statement struct {
	name       string
	atLeast    float64
	aim        float64
	call       func(ctx context.Context, d *db.DB, client, n int) error
	variables  string   // pgbench's, for the parameters in order: v1, v2, …
	parameters []string // that are texts, for -D
}

var storeTime = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)

// Ids are numbers in the rig's set of rows, because pgbench can make no others.
var statements = []statement{
	{
		name: "by key", atLeast: 0.6, aim: 0.8,
		call: func(ctx context.Context, d *db.DB, _, _ int) error {
			_, err := d.Conversation(ctx, storeAccount, "webchat", strconv.Itoa(1+rand.IntN(conversations)))
			return err
		},
		variables:  "\\set v2 random(1, 1000)\n",
		parameters: []string{"v1=" + storeAccount, "v3=webchat"},
	},
	{
		name: "pages of 20", atLeast: 0.5, aim: 0.65,
		call: func(ctx context.Context, d *db.DB, _, _ int) error {
			_, err := d.Messages(ctx, storeAccount, strconv.Itoa(1+rand.IntN(conversations)), int64(rand.IntN(80)), 20)
			return err
		},
		variables:  "\\set v2 random(1, 1000)\n\\set v3 random(0, 79)\n",
		parameters: []string{"v1=" + storeAccount, "v4=20"},
	},
	{
		name: "one-statement writes", atLeast: 0.9, aim: 1.0,
		call: func(ctx context.Context, d *db.DB, client, n int) error {
			word := "word"
			return d.InsertConversation(ctx, db.Conversation{
				AccountID: storeAccount, ID: strconv.Itoa(client*10_000_000 + n + 2000), Surface: "webchat", AppID: "app", AgentID: &word, ModelID: &word,
				Title: "title", SystemPrompt: "prompt", Preview: "preview",
				CreatedAt: storeTime, LastMessageAt: storeTime, EndUser: &word,
			})
		},
		variables: "\\set n :n + 1\n\\set v2 (:client_id + 100 * :round) * 10000000 + :n\n",
		parameters: []string{"v1=" + storeAccount, "v3=webchat", "v4=app", "v5=word", "v6=word", "v7=title", "v8=prompt", "v9=0", "v10=0", "v11=0", "v12=preview",
			"v13=" + storeTime.Format(time.RFC3339), "v14=" + storeTime.Format(time.RFC3339), "v15=word", "n=2000"},
	},
}

var fillStore = []string{
	`insert into accounts (account_id, name, plan, created_at) values ('` + storeAccount + `', 'store', 'unlimited', now())`,
	`insert into conversations (account_id, conversation_id, surface, app_id, title, system_prompt, last_seq, created_at, last_message_at)
		select '` + storeAccount + `', c::text, 'webchat', 'app', '', '', 100, now(), now() from generate_series(1, 1000) c`,
	`insert into messages (account_id, conversation_id, seq, message_id, role, content, created_at)
		select '` + storeAccount + `', c::text, s, 'msg_' || c || '_' || s, 'user', repeat('words ', 66), now()
		from generate_series(1, 1000) c, generate_series(1, 100) s`,
	`vacuum analyze`,
}

// store compares the store layer with pgbench running its very statements.
func (b *bench) store() error {
	program, err := pgbench()
	if err != nil {
		return err
	}
	dsn, err := b.rig.database("store")
	if err != nil {
		return err
	}
	if err := b.fill(dsn, fillStore); err != nil {
		return err
	}
	for _, s := range statements {
		if err := b.compareStore(program, dsn, s); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// fill migrates a database and stores rows.
func (b *bench) fill(dsn string, inserts []string) error {
	d, err := db.Open(b.rig.ctx, dsn, 2)
	if err != nil {
		return err
	}
	_, err = d.Migrate(b.rig.ctx)
	if err := errors.Join(err, d.Close()); err != nil {
		return err
	}
	pool, err := sqlx.ConnectContext(b.rig.ctx, "postgres", dsn)
	if err != nil {
		return err
	}
	defer pool.Close()
	for _, insert := range inserts {
		if _, err := pool.ExecContext(b.rig.ctx, insert); err != nil {
			return fmt.Errorf("%.60s: %w", insert, err)
		}
	}
	return nil
}

// speed is how fast statements go and what one costs.
type speed struct {
	rate             float64 // a second
	client, postgres float64 // processor time of each side, µs
}

type speeds []speed

// String tells the medians.
func (s speeds) String() string {
	of := func(figure func(speed) float64) float64 {
		var all []float64
		for _, one := range s {
			all = append(all, figure(one))
		}
		return median(all)
	}
	return fmt.Sprintf("%.0f/s at %.0f + %.0f µs", of(func(s speed) float64 { return s.rate }),
		of(func(s speed) float64 { return s.client }), of(func(s speed) float64 { return s.postgres }))
}

// cost completes a speed: many statements took the client so many seconds of processor time, and Postgres what it used since.
func (b *bench) cost(rate, many, client, postgresBefore float64) speed {
	return speed{rate: rate, client: client / many * 1e6, postgres: (cpuOfPostgres(b.rig.postgres.PID()) - postgresBefore) / many * 1e6}
}

func (b *bench) compareStore(program, dsn string, s statement) error {
	script, err := b.script(dsn, s)
	if err != nil {
		return err
	}
	var worst, note = 1e9, ""
	for _, conns := range []int{8, 64} {
		var ratios []float64
		var ours, theirs speeds
		for round := range b.rounds {
			their, err := b.pgbench(program, script, s, conns, round)
			if err != nil {
				return err
			}
			our, err := b.callStore(dsn, s, conns, round)
			if err != nil {
				return err
			}
			ours, theirs, ratios = append(ours, our), append(theirs, their), append(ratios, our.rate/their.rate)
		}
		note += fmt.Sprintf("%d connections: %s ÷ %s; ", conns, ours, theirs)
		worst = min(worst, median(ratios))
	}
	b.report.add(least("store layer ÷ pgbench, "+s.name, worst, s.atLeast, s.aim, "").with("the lower of both. %s", note))
	return nil
}

var placeholder = regexp.MustCompile(`\$(\d+)`)

// script writes the statement that the method really sends, as pgbench reads it.
func (b *bench) script(dsn string, s statement) (string, error) {
	w, err := newWire(dsn)
	if err != nil {
		return "", err
	}
	defer func() { _ = w.close() }()
	d, err := db.Open(b.rig.ctx, w.dsn, 1)
	if err != nil {
		return "", err
	}
	defer func() { _ = d.Close() }()
	w.take()
	if err := s.call(b.rig.ctx, d, 0, 0); err != nil {
		return "", err
	}
	t := w.take()
	if len(t.statements) != 1 {
		return "", fmt.Errorf("%d statements instead of one", len(t.statements))
	}
	path := filepath.Join(b.rig.folder, "pgbench.sql")
	text := s.variables + placeholder.ReplaceAllString(t.statements[0].sql, ":v$1") + ";\n"
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// pgbench finds the program of a Postgres installation.
func pgbench() (string, error) {
	if path, err := exec.LookPath("pgbench"); err == nil {
		return path, nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench")
	if len(found) == 0 {
		return "", errors.New("there is no pgbench on this machine")
	}
	return found[len(found)-1], nil
}

var figures = regexp.MustCompile(`actually processed: (\d+)[\s\S]*tps = ([0-9.]+)`)

// pgbench runs the script. Its time includes that of connecting, so that many clients get more of it.
func (b *bench) pgbench(program, script string, s statement, conns, round int) (speed, error) {
	socket, err := b.rig.socket()
	if err != nil {
		return speed{}, err
	}
	args := []string{"-n", "-M", "prepared", "-c", strconv.Itoa(conns), "-j", "2", "-T", strconv.Itoa(1 + conns/32), "-f", script, "-h", socket, "-U", "parley",
		"-D", "round=" + strconv.Itoa(1+round+100*conns)}
	for _, p := range s.parameters {
		args = append(args, "-D", p)
	}
	before := cpuOfPostgres(b.rig.postgres.PID())
	cmd := exec.CommandContext(b.rig.ctx, program, append(args, "store")...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return speed{}, fmt.Errorf("pgbench: %w\n%s", err, out)
	}
	found := figures.FindSubmatch(out)
	if found == nil {
		return speed{}, fmt.Errorf("pgbench: %s", out)
	}
	many, err := strconv.ParseFloat(string(found[1]), 64)
	rate, failed := strconv.ParseFloat(string(found[2]), 64)
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return b.cost(rate, many, used.Seconds(), before), errors.Join(err, failed)
}

// callStore calls the method by as many callers as there are connections.
func (b *bench) callStore(dsn string, s statement, conns, round int) (speed, error) {
	d, err := db.Open(b.rig.ctx, dsn, conns)
	if err != nil {
		return speed{}, err
	}
	defer func() { _ = d.Close() }()
	var calls atomic.Int64
	var failure error
	var failed sync.Once
	loop := func(n *atomic.Int64, base int, until time.Time) {
		var callers sync.WaitGroup
		for client := range conns {
			callers.Go(func() {
				for i := base; time.Now().Before(until); i++ {
					if err := s.call(b.rig.ctx, d, client, round*1_000_000+i); err != nil {
						failed.Do(func() { failure = err })
						return
					}
					n.Add(1)
				}
			})
		}
		callers.Wait()
	}
	var ignored atomic.Int64
	loop(&ignored, 1+conns*10_000, time.Now().Add(300*time.Millisecond)) // connections open, statements are prepared
	begun, used, before := time.Now(), cpu(os.Getpid()), cpuOfPostgres(b.rig.postgres.PID())
	loop(&calls, 500_000+conns*1000, begun.Add(time.Second))
	many := float64(calls.Load())
	return b.cost(many/time.Since(begun).Seconds(), many, cpu(os.Getpid())-used, before), failure
}
