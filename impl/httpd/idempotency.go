package httpd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"
	"time"

	"parley/db"
	"parley/impl/core/failpoint"
	"parley/impl/core/fault"
	"parley/impl/core/idempotency"
	"parley/impl/core/key"
	"parley/impl/core/turn"
)

const (
	keyHeader      = "Idempotency-Key"
	replayedHeader = "Idempotency-Replayed"
)

// Repeats finds and keeps what was done under Idempotency-Keys.
type Repeats interface {
	Find(ctx context.Context, c db.Claim) (db.Claim, bool, error)
	Act(ctx context.Context, c db.Claim) (context.Context, *db.Act)
	Seal(c db.Claim, a idempotency.Answer) ([]byte, error)
	Open(c db.Claim) (idempotency.Answer, error)
}

// Turns gives answers once more.
type Turns interface {
	Find(ctx context.Context, accountID, turnID string) (db.Turn, error)
	Frames(ctx context.Context, t db.Turn, after int64) (iter.Seq2[turn.Frame, error], error)
	Repeat(ctx context.Context, t db.Turn) (any, error)
}

// serve hands a checked request to its handler: once, when it names a key.
func (e *Edge) serve(w http.ResponseWriter, r *http.Request, o *operation, next http.Handler) {
	if !o.repeatable || len(r.Header.Values(keyHeader)) == 0 {
		next.ServeHTTP(w, r)
		return
	}
	if err := e.serveOnce(w, r, o, next); err != nil {
		e.write(w, r, e.surfaces[o.surface], err)
	}
}

func (e *Edge) serveOnce(w http.ResponseWriter, r *http.Request, o *operation, next http.Handler) error {
	c, err := newClaim(r)
	if err != nil {
		return err
	}
	if done, err := e.repeat(w, r, o, c); done || err != nil {
		return err
	}
	if o.beginsTurn(r) {
		next.ServeHTTP(w, r.WithContext(idempotency.With(r.Context(), c)))
		return nil
	}
	return e.createOnce(w, r, o, next, c)
}

// beginsTurn tells whether a turn will answer the request.
func (o *operation) beginsTurn(r *http.Request) bool {
	b, _ := r.Body.(*body)
	if o.turnWhen == "" || b == nil {
		return o.turn
	}
	members, _ := b.value.(map[string]any)
	asked := members[o.turnWhen]
	return o.turn && asked != nil && asked != false // which is what validation fills in
}

// newClaim is the request as its claim: who sends it under which key, and a
// digest of what it asks for.
func newClaim(r *http.Request) (db.Claim, error) {
	keys := r.Header.Values(keyHeader)
	if len(keys) > 1 || keys[0] == "" {
		f := fault.New(fault.Invalid, "Invalid header %s: must be given once and not be empty", keyHeader)
		f.Fields = []fault.Field{{In: "header", Path: keyHeader, Rule: "single", Reason: "must be given once and not be empty"}}
		return db.Claim{}, f
	}
	c := Caller(r.Context())
	print, err := fingerprint(r)
	return db.Claim{
		AccountID: c.AccountID, AppID: c.AppID, Key: keys[0], Fingerprint: print,
		ExpiresAt: time.Now().UTC().Truncate(time.Microsecond).Add(idempotency.Keep),
	}, err
}

// fingerprint digests method, path, query and body, without credentials and
// without what JSON leaves to taste, whether a stream is wanted, and for which
// end user, so that none is given the answer to another.
func fingerprint(r *http.Request) ([]byte, error) {
	query := r.URL.Query()
	query.Del("api_key")
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%s\n%s\n%s\n%t\n", r.Method, r.URL.EscapedPath(), query.Encode(), WantsEvents(r.Context()))
	if c := Caller(r.Context()); c.Kind == key.Publishable {
		_, _ = fmt.Fprintf(h, "for %q in %q\n", c.EndUser, c.SessionID)
	}
	if b, ok := r.Body.(*body); ok {
		canonical, err := canonicalBody(b.raw)
		if err != nil {
			return nil, err
		}
		_, _ = h.Write(canonical)
	}
	return h.Sum(nil), nil
}

func canonicalBody(raw []byte) ([]byte, error) {
	value, err := decodeJSON(raw)
	if err != nil {
		return nil, err
	}
	if members, ok := value.(map[string]any); ok {
		delete(members, "api_key")
	}
	return json.Marshal(value)
}

// repeat answers as the first request with the key was; false when there was none.
func (e *Edge) repeat(w http.ResponseWriter, r *http.Request, o *operation, c db.Claim) (bool, error) {
	stored, found, err := e.repeats.Find(r.Context(), c)
	if err != nil || !found {
		return false, err
	}
	if stored.TurnID != nil {
		err = e.repeatTurn(w, r, o, stored)
	} else {
		err = e.repeatCreation(w, stored)
	}
	if err != nil && fault.KindOf(err) == fault.NotFound {
		err = idempotency.ErrGone
	}
	return true, err
}

func (e *Edge) repeatCreation(w http.ResponseWriter, c db.Claim) error {
	if c.SealedAnswer == nil {
		return idempotency.ErrGone
	}
	a, err := e.repeats.Open(c)
	if err != nil {
		return err
	}
	w.Header().Set(replayedHeader, "true")
	sendAnswer(w, a)
	return nil
}

// repeatTurn gives a turn's answer once more, joining it while it is being made.
func (e *Edge) repeatTurn(w http.ResponseWriter, r *http.Request, o *operation, c db.Claim) error {
	t, err := e.turns.Find(r.Context(), c.AccountID, *c.TurnID)
	if err != nil {
		return err
	}
	if t.EndUser != nil {
		if token := e.endUsers.VisitorToken(Caller(r.Context()), *t.EndUser); token != "" {
			w.Header().Set(EndUserHeader, token)
		}
	}
	if wantsStream(r) {
		if t.Unstored && t.State != db.TurnRunning {
			return idempotency.ErrGone
		}
		frames, err := e.turns.Frames(r.Context(), t, 0)
		if err != nil {
			return err
		}
		w.Header().Set(replayedHeader, "true")
		return WriteFrames(w, o.success, t.ID, frames)
	}
	value, err := e.turns.Repeat(r.Context(), t)
	if err != nil {
		return err
	}
	var buf bytes.Buffer // as the generated servers write JSON
	if err := json.NewEncoder(&buf).Encode(value); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	w.Header().Set(replayedHeader, "true")
	w.Header().Set("Parley-Turn", t.ID)
	if made, ok := value.(interface{ Location() string }); ok && o.success == http.StatusCreated {
		w.Header().Set("Location", made.Location())
	}
	sendAnswer(w, idempotency.Answer{Status: o.success, Header: map[string]string{"Content-Type": "application/json"}, Body: buf.Bytes()})
	return nil
}

// wantsStream tells whether the request asked for events, by its Accept header,
// or by the member or parameter "stream" that all surfaces have.
func wantsStream(r *http.Request) bool {
	if asked, _ := strconv.ParseBool(r.URL.Query().Get("stream")); asked || WantsEvents(r.Context()) {
		return true
	}
	b, _ := r.Body.(*body)
	if b == nil {
		return false
	}
	members, _ := b.value.(map[string]any)
	stream, _ := members["stream"].(bool)
	return stream
}

// repeatTaken answers a request that lost its key to another while it began.
func (e *Edge) repeatTaken(w http.ResponseWriter, r *http.Request) bool {
	claim := idempotency.ClaimOf(r.Context())
	o := noteOf(r.Context()).operation
	if claim == nil || o == nil {
		return false
	}
	done, err := e.repeat(w, r, o, *claim)
	switch {
	case err != nil:
		e.write(w, r, e.surfaces[o.surface], err)
	case !done: // the other request failed meanwhile and gave the key back
		e.write(w, r, e.surfaces[o.surface], idempotency.ErrInFlight)
	}
	return true
}

// createOnce runs a handler as one transaction with its claim and its answer,
// which is sent after the commit.
func (e *Edge) createOnce(w http.ResponseWriter, r *http.Request, o *operation, next http.Handler, c db.Claim) error {
	ctx, act := e.repeats.Act(r.Context(), c)
	defer act.Rollback()
	kept, later := &keeper{header: http.Header{}, status: http.StatusOK}, &afterwards{}
	next.ServeHTTP(kept, r.WithContext(context.WithValue(ctx, afterwardsKey, later)))
	if act.Claimed() {
		return e.afterClaimed(w, r, o, c)
	}
	a := kept.answer()
	if a.Status >= 200 && a.Status < 300 {
		sealed, err := e.repeats.Seal(c, a)
		if err != nil {
			return err
		}
		failpoint.Here(failpoint.BeforeKept)
		err = act.Commit(sealed)
		failpoint.Here(failpoint.Kept)
		if errors.Is(err, db.ErrClaimed) {
			return e.afterClaimed(w, r, o, c)
		}
		if err != nil {
			return err
		}
		later.renew(r.Context(), &a)
	}
	for name := range kept.header {
		w.Header().Set(name, kept.header.Get(name))
	}
	sendAnswer(w, a)
	return nil
}

// afterwards is what is left to do of a request when its act has been stored.
type afterwards struct {
	answer func(ctx context.Context) (any, error)
}

// Afterwards has a request wait until its act is stored: what wait returns becomes
// the answer's body. Where acts are stored by themselves, it waits at once. Where
// the handler's return stores them, it returns soFar, and wait is called then: a
// repetition gets the answer as it was stored, and so does the caller when wait fails.
func Afterwards[T any](ctx context.Context, soFar T, wait func(ctx context.Context) (T, error)) (T, error) {
	later, ok := ctx.Value(afterwardsKey).(*afterwards)
	if !ok {
		return wait(ctx)
	}
	later.answer = func(ctx context.Context) (any, error) { return wait(ctx) }
	return soFar, nil
}

func (l *afterwards) renew(ctx context.Context, a *idempotency.Answer) {
	if l.answer == nil {
		return
	}
	var body bytes.Buffer // as the generated servers write JSON
	if value, err := l.answer(ctx); err == nil && json.NewEncoder(&body).Encode(value) == nil {
		a.Body = body.Bytes()
	}
}

func (e *Edge) afterClaimed(w http.ResponseWriter, r *http.Request, o *operation, c db.Claim) error {
	noteOf(r.Context()).fault = nil // of the attempt that could not begin
	done, err := e.repeat(w, r, o, c)
	if err == nil && !done {
		err = idempotency.ErrInFlight
	}
	return err
}

func sendAnswer(w http.ResponseWriter, a idempotency.Answer) {
	for name, value := range a.Header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(a.Status)
	_, _ = io.Copy(w, bytes.NewReader(a.Body)) // a client that left is no error of ours
}

// keeper keeps an answer instead of sending it.
type keeper struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header returns the answer's headers.
func (k *keeper) Header() http.Header { return k.header }

// WriteHeader keeps the status.
func (k *keeper) WriteHeader(status int) { k.status = status }

// Write keeps a part of the body.
func (k *keeper) Write(p []byte) (int, error) { return k.body.Write(p) }

// answer is what a repetition needs.
func (k *keeper) answer() idempotency.Answer {
	a := idempotency.Answer{Status: k.status, Header: map[string]string{}, Body: k.body.Bytes()}
	for _, name := range []string{"Content-Type", "Location"} {
		if value := k.header.Get(name); value != "" {
			a.Header[name] = value
		}
	}
	return a
}
