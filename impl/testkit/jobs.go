package testkit

import (
	"archive/zip"
	"io"
	"testing"
	"time"

	"parley/db"
	"parley/impl/blobs"
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
	tick, deadline := time.NewTicker(5*time.Millisecond), time.After(time.Minute)
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

// Export stores an export of the account that is ready, with an archive of no records.
func (a Account) Export(t testing.TB) db.Export {
	t.Helper()
	at := now()
	expires := at.Add(time.Hour)
	e := db.Export{AccountID: a.ID, ID: id.New(id.Export), Scope: db.ScopeAccount, State: db.PrivacyReady, CreatedAt: at, FinishedAt: &at, ExpiresAt: &expires}
	var err error
	e.Bytes, err = a.server.App.Blobs.Put(t.Context(), blobs.Name{AccountID: a.ID, Kind: "exports", ID: e.ID}, 1<<10, func(w io.Writer) error {
		return zip.NewWriter(w).Close()
	})
	if err == nil {
		err = a.server.DB.InsertExport(t.Context(), e)
	}
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Erasure stores an erasure that was carried out.
func (a Account) Erasure(t testing.TB) db.Erasure {
	t.Helper()
	at := now()
	e := db.Erasure{AccountID: a.ID, ID: id.New(id.Erasure), Scope: db.ScopeConversation, Subject: "conv_gone", State: db.PrivacyDone, CreatedAt: at, FinishedAt: &at}
	if err := a.server.DB.InsertErasure(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	return e
}
