package turn

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"parley/db"
	"parley/impl/core/agent"
	"parley/impl/core/failpoint"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/idempotency"
	"parley/impl/core/model"
	"parley/impl/core/money"
	"parley/impl/core/provider"
	"parley/impl/core/tokens"
)

const (
	// lease is how long a server may stay silent before its turns are taken over.
	lease = 7 * time.Second
	// renewEvery leaves room for two failed renewals within a lease.
	renewEvery = 2 * time.Second
	// reapEvery is how often each server looks for turns to take over, so that
	// those of a dead one end within ten seconds.
	reapEvery = time.Second
	// roundTimeout bounds a round of either.
	roundTimeout = 2 * time.Second
	// takeOverBatch bounds what one round of the reaper takes.
	takeOverBatch = 100
)

// Engine runs turns. Make it with New, end it with Stop.
type Engine struct {
	// Encoders are the surfaces' wire formats by surface name. They are set
	// before the first turn.
	Encoders map[string]Encoder
	// Wholes are the surfaces' answers that are not streamed, likewise.
	Wholes map[string]Whole
	// Knowledge finds what an answer without Knowledge is made from; nil finds nothing. It is set before the first turn.
	Knowledge func(ctx context.Context, in Input) (*Knowledge, error)
	// Meter is told how answers go; nil: nobody is. It is set before the first turn.
	Meter Meter
	// Pictures returns the answer to the request of a picture's turn once more, waiting for its end.
	Pictures func(ctx context.Context, t db.Turn) (any, error)

	db     *db.DB
	models *model.Catalog
	log    *slog.Logger
	now    func() time.Time
	owner  string

	running context.Context // ends when the engine gives up its turns
	giveUp  context.CancelCauseFunc
	loops   sync.WaitGroup
	turns   sync.WaitGroup

	crowds   crowds
	breakers breakers
	recent   recent

	mu       sync.Mutex
	stopping bool
	live     map[string]*active                  // by turn id
	readers  map[string]map[string]chan struct{} // of other servers' turns, by turn and reader

	hearing atomic.Bool // notifications of other servers arrive
	hints   chan string // turns of which there is more to read
}

// active is a live turn with what finding it needs.
type active struct {
	*Live
	run                       *run
	accountID, conversationID string
}

// New starts an engine: its turns outlive the requests that begin them, and
// its loops keep its leases and take over the turns of dead servers.
func New(database *db.DB, models *model.Catalog, log *slog.Logger, now func() time.Time) *Engine {
	running, giveUp := context.WithCancelCause(context.Background())
	e := &Engine{
		db: database, models: models, log: log, now: now, owner: id.New("srv_"),
		running: running, giveUp: giveUp, live: map[string]*active{},
		readers: map[string]map[string]chan struct{}{}, hints: make(chan string, 4*gatherMax),
		crowds:   crowds{beginning: map[string]int{}, spread: map[string]time.Time{}},
		breakers: breakers{failed: map[string]*failing{}},
	}
	e.loops.Add(4)
	go e.keepLeases()
	go e.reap()
	go e.flush()
	go e.gather()
	return e
}

var errStopping = fault.New(fault.Unavailable, "The server is shutting down.")

// Stop lets running turns finish until ctx ends, then ends them as failed with
// their partial text. New turns are refused as Unavailable. What cannot be
// stored then, because the database is away, is left to be taken over.
func (e *Engine) Stop(ctx context.Context) {
	e.mu.Lock()
	e.stopping = true
	e.mu.Unlock()
	done := make(chan struct{})
	go func() { e.turns.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
	e.giveUp(errStopping)
	<-done
	e.loops.Wait()
}

// Start begins a turn and returns once its beginning is durable. Unknown
// models are Invalid, so are pictures that the model cannot see, an empty balance or budget is NoFunds, a ceiling of the
// plan is RateLimited, a question beyond the model's context is TooLarge, a
// provider that has been failing, without a fallback, is Unavailable; then
// nothing is stored.
func (e *Engine) Start(ctx context.Context, in Input) (*Live, error) {
	if err := checkAgent(in); err != nil {
		return nil, err
	}
	if err := e.find(ctx, &in); err != nil {
		return nil, err
	}
	offers, err := e.offers(ctx, in)
	if err != nil {
		return nil, err
	}
	r := e.newRun(ctx, in, offers)
	if err := e.register(r, in); err != nil {
		r.live.refuse(err)
		return nil, err
	}
	if err := e.begin(ctx, r, in); err != nil {
		err = e.claimed(ctx, err)
		e.meterRefused(err)
		r.live.refuse(err)
		e.unregister(r)
		return nil, err
	}
	r.log.begin()
	if b, some := r.batch(); some && !in.Awaited {
		e.append(ctx, []flushing{b}) // what is acknowledged now can be read from any server
	}
	go r.run()
	return r.live, nil
}

// checkAgent is a Forbidden fault when the caller's key admits other agents only.
func checkAgent(in Input) error {
	agentID := ""
	if in.Agent != nil {
		agentID = in.Agent.ID
	}
	if !in.Caller.AdmitsAgent(agentID) {
		return fault.New(fault.Forbidden, "The API key may only be answered by the agents that it lists.")
	}
	return nil
}

func wantedModel(in Input) string {
	switch {
	case in.ModelID != "":
		return in.ModelID
	case in.Conversation != nil && in.Conversation.ModelID != nil:
		return *in.Conversation.ModelID
	case in.Agent != nil && in.Agent.ModelID != nil:
		return *in.Agent.ModelID
	}
	return ""
}

// buildPrompt joins persona, system prompt, history and question, cut to the
// model's context beside the passages that it is offered, and counts the tokens
// of all, with those that it reads beside.
func buildPrompt(in Input, m db.Model, beside int) ([]provider.Message, []provider.Passage, int, error) {
	var all []tokens.Message
	if in.Agent != nil {
		all = append(all, tokens.Message{Role: tokens.RoleSystem, Content: agent.Persona(*in.Agent)})
	}
	if in.SystemPrompt != "" {
		all = append(all, tokens.Message{Role: tokens.RoleSystem, Content: in.SystemPrompt})
	}
	all = append(all, in.History...)
	if in.Question != "" {
		all = append(all, tokens.Message{Role: tokens.RoleUser, Content: in.Question, Images: in.Images, Pictures: len(in.Images)})
	}
	all, err := visible(all, m)
	if err != nil {
		return nil, nil, 0, err
	}
	passages, used := passagesFor(in, m)
	return fit(all, passages, used, m, beside)
}

// hold is the highest cost of a turn. Upstreams count input by vocabularies
// of their own, so the hold allows for a quarter more than our count.
func hold(m db.Model, inputTokens int) int64 {
	return money.Cost(int64(inputTokens)*5/4+64, int64(m.MaxOutputTokens), m.InputMicrosPer1K, m.OutputMicrosPer1K)
}

// begin stores the beginning. A caller that leaves does not interrupt it: nobody
// could tell then whether the turn exists.
func (e *Engine) begin(ctx context.Context, r *run, in Input) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	b := db.Beginning{Claim: idempotency.ClaimOf(ctx), Ceilings: ceilings(in, r.tokens), Lazy: in.Awaited}
	if in.Conversation != nil && in.Question != "" {
		b.Question = &db.Message{ID: id.New(id.Message), Content: in.Question, ImageIDs: in.ImageIDs}
	}
	if in.Begins {
		b.Conversation = in.Conversation
	}
	failpoint.Here(failpoint.BeforeBegin)
	begun, err := e.beginTurn(ctx, r.turn, b)
	if err != nil {
		return err
	}
	r.plain, r.unheard = begun.Together, begun.Unheard
	failpoint.Here(failpoint.Begun)
	return refusal(in, b.Ceilings, begun)
}

func (e *Engine) register(r *run, in Input) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopping {
		return errStopping
	}
	a := &active{Live: r.live, run: r, accountID: in.Caller.AccountID}
	if in.Conversation != nil {
		a.conversationID = in.Conversation.ID
	}
	e.live[r.turn.ID] = a
	e.turns.Add(1)
	return nil
}

func (e *Engine) unregister(r *run) {
	e.mu.Lock()
	delete(e.live, r.turn.ID)
	e.mu.Unlock()
	e.turns.Done()
}

// CancelConversation cancels the turns that this server runs in a conversation
// and waits for their end.
func (e *Engine) CancelConversation(ctx context.Context, accountID, conversationID string) {
	for _, l := range e.liveIn(accountID, conversationID) {
		l.cancel(errCancelled)
		_, _ = l.Wait(ctx) // its outcome is the readers' business
	}
}

func (e *Engine) liveIn(accountID, conversationID string) []*Live {
	e.mu.Lock()
	defer e.mu.Unlock()
	var found []*Live
	for _, a := range e.live {
		if a.accountID == accountID && a.conversationID == conversationID {
			found = append(found, a.Live)
		}
	}
	return found
}
