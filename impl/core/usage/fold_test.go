package usage_test

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"parley/db"
	"parley/db/dbtest"
	"parley/impl/core/id"
	"parley/impl/core/usage"
)

// Whatever books and folds at once, usage is what the ledger says and each
// entry is numbered once.
func TestFoldsLoseAndDoubleNothing(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	account := dbtest.Account(t, d, "free", 1_000_000)
	s := &usage.Service{DB: d, Now: time.Now}
	at := time.Now().UTC()
	var workers, folders sync.WaitGroup
	done := make(chan struct{})
	for range 3 {
		folders.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, err := s.Groups(t.Context(), account, db.UsageFilter{From: at, To: at.AddDate(0, 0, 1), Limit: 10}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for w := range 6 {
		workers.Go(func() {
			for i := range 40 {
				spend(t, d, account, "app_a", []string{"m1", "m2"}[i%2], at.AddDate(0, 0, -(w%3)), int64(i), 1, int64(w))
			}
		})
	}
	workers.Wait()
	close(done)
	folders.Wait()
	report, err := s.OfApp(t.Context(), account, "app_a", nil, nil)
	if err != nil || report.Total.Requests != 240 || report.Total.OutputTokens != 240 || report.Total.InputTokens != 6*780 || report.Total.CostMicros != 40*15 {
		t.Errorf("report %+v, %v", report, err)
	}
	rows, err := s.Groups(t.Context(), account, db.UsageFilter{From: at.AddDate(0, 0, -9), To: at.AddDate(0, 0, 1), By: []string{"day", "model_id"}, Limit: 100})
	if err != nil || len(rows) != 6 {
		t.Errorf("groups %+v, %v", rows, err)
	}
	entries, err := s.Entries(t.Context(), account, 0, 1000)
	if err != nil || len(entries) != 241 || entries[0].Seq != 241 || entries[0].TotalMicros != 1_000_000-600 {
		t.Errorf("%d entries, the newest %+v, %v", len(entries), entries[0], err)
	}
	raw, err := sqlx.Connect("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	var wrong int
	err = raw.Get(&wrong, `select count(*) from (
			select seq, row_number() over (order by seq) as n, total_micros,
				sum(case kind when 'grant' then amount_micros else -amount_micros end) over (order by seq) as total
			from ledger where account_id = $1
		) l where seq <> n or total_micros <> total`, account)
	if err != nil || wrong > 0 {
		t.Errorf("%d entries are misnumbered, %v", wrong, err)
	}
}

// BenchmarkOfApp reads the report of an app without a book, with one entry for
// each of 270 days and models, and with a long book of the same days and models.
func BenchmarkOfApp(b *testing.B) {
	for _, rows := range []int{0, 270, 1_000_000} {
		b.Run(strconv.Itoa(rows), func(b *testing.B) {
			d, dsn := dbtest.Own(b)
			account, app := dbtest.Account(b, d, "free", 0), id.New(id.App)
			raw, err := sqlx.Connect("postgres", dsn)
			if err != nil {
				b.Fatal(err)
			}
			defer raw.Close()
			fillBook(raw, account, app, rows)
			s := &usage.Service{DB: d, Now: time.Now}
			raw.MustExec("vacuum analyze")
			for b.Loop() {
				if _, err := s.OfApp(b.Context(), account, app, nil, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// fillBook stores an app's entries as folds leave them, in four statements.
func fillBook(raw *sqlx.DB, account, app string, rows int) {
	raw.MustExec(`insert into ledger (account_id, entry_id, kind, amount_micros, turn_id, app_id, key_id, model_id, surface, created_at, seq, total_micros)
		select $1, 'entry_' || i, 'usage', 1, 'turn_' || i, $2, 'key', 'm' || i % 3, 'webchat', now() - (i % 90) * interval '1 day', i, -i
		from generate_series(1, $3::int) i`, account, app, rows)
	raw.MustExec(`insert into ledger_heads (account_id, last_seq, total_micros) values ($1, $2, -$2::bigint)`, account, rows)
	raw.MustExec(`insert into usage_days (account_id, app_id, day, model_id, requests, input_tokens, output_tokens, cost_micros)
		select account_id, app_id, (created_at at time zone 'UTC')::date, model_id, count(*), sum(input_tokens), sum(output_tokens), sum(amount_micros)
		from ledger where account_id = $1 group by 1, 2, 3, 4`, account)
	raw.MustExec(`insert into usage_cells (account_id, day, app_id, key_id, model_id, surface, end_user, requests, input_tokens, output_tokens, cost_micros)
		select account_id, day, app_id, 'key', model_id, 'webchat', '', requests, input_tokens, output_tokens, cost_micros
		from usage_days where account_id = $1`, account)
}
