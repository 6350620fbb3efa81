package testkit

import (
	"testing"
	"time"

	"parley/impl/core/id"
	"parley/impl/core/job"
)

// Run makes the server do a job of its own and waits until it is done.
func (s *Server) Run(t testing.TB, kind string) {
	t.Helper()
	s.RunFor(t, job.New{Kind: kind})
}

// RunFor makes the server do a job and waits until it is done.
func (s *Server) RunFor(t testing.TB, n job.New) {
	t.Helper()
	n.ID = id.New(id.Job)
	if err := job.Enqueue(t.Context(), s.DB.Queries, now(), n); err != nil {
		t.Fatal(err)
	}
	tick, deadline := time.NewTicker(5*time.Millisecond), time.After(20*time.Second)
	defer tick.Stop()
	for {
		row, err := s.DB.Job(t.Context(), n.AccountID, n.ID)
		if err != nil {
			t.Fatal(err)
		}
		if row.FinishedAt != nil {
			if row.LastError != nil {
				t.Fatalf("job %s: %s", n.Kind, *row.LastError)
			}
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("in vain waited for a job of kind %s", n.Kind)
		}
	}
}

// Grant adds to the account's balance, in micro-units.
func (a Account) Grant(t testing.TB, micros int64) {
	t.Helper()
	if err := a.server.DB.Grant(t.Context(), a.ID, id.New(id.Entry), micros, now()); err != nil {
		t.Fatal(err)
	}
}
