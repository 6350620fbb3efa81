package chat

import (
	"context"
	"errors"
	"strconv"
	"time"

	"parley/db"
	"parley/impl/core/failpoint"
	"parley/impl/core/fault"
	"parley/impl/core/flow"
	"parley/impl/core/idempotency"
	"parley/impl/core/job"
	"parley/impl/core/key"
	"parley/impl/core/knowledge"
	"parley/impl/core/turn"
)

const (
	// RunKind is the job that takes a run as far as it goes without a person.
	RunKind    = "chats.run"
	forgetKind = "chats.forget"
	sweepKind  = "chats.sweep"

	// runSlots is how many runs a server takes forward at once: they mostly wait for models.
	runSlots = 128
	// stepAttempts is how often a step may fail on the way to its answer, and stepDeaths how
	// often its server may stop meanwhile: it could be the step that makes it.
	stepAttempts = 3
	stepDeaths   = 12
	// internalAttempts is how often a run is taken up, for whatever reason, before a failure of the server's own ends it.
	internalAttempts = 10
	// claimKept is how long a crash may last between the beginning of a step's turn and its being noted.
	claimKept = 30 * 24 * time.Hour
)

type runArgs struct {
	ChatID string `json:"chat_id"`
	Run    int64  `json:"run"`
}

type forgetArgs struct {
	TurnID string `json:"turn_id"`
}

// Handle makes the runner run chats.
func (s *Service) Handle(r *job.Runner) {
	r.Handle(RunKind, job.Handler{Do: job.Typed(s.run), Slots: runSlots, Timeout: s.RunTime + s.StepTime, Backoff: func(attempt int) time.Duration {
		return min(job.Backoff(attempt), time.Minute/2)
	}})
	r.Handle(forgetKind, job.Handler{Do: job.Typed(s.forget)})
	r.Handle(sweepKind, job.Handler{Do: s.sweep, Slots: 1})
	r.Every(sweepKind, sweepEvery)
}

// run takes a run forward, one stored change after another, until it waits for a person or is over.
func (s *Service) run(ctx context.Context, r job.Run, args runArgs) error {
	for {
		c, err := s.DB.Chat(ctx, r.AccountID, args.ChatID)
		if errors.Is(err, db.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if c.Run != args.Run || c.Status != db.ChatRunning {
			return nil
		}
		err = s.step(ctx, c)
		if errors.Is(err, errStands) {
			return nil
		}
		if errors.Is(err, db.ErrNotFound) {
			continue // somebody else has changed the chat
		}
		if err != nil && (r.Last() || fault.KindOf(err) == fault.Internal && r.Attempt >= internalAttempts) {
			err = s.fail(ctx, c, fault.From(err).Message)
		}
		if err != nil {
			return err
		}
	}
}

// errStands says that the run waits for a person, or is over. What follows is another job's: were this one to look
// again, it could meet a person's answer, and both would call the same tool.
var errStands = errors.New("the run does not go on by itself")

// went stores a step of the run.
func (s *Service) went(ctx context.Context, m *move) error {
	if err := s.store(ctx, m); err != nil {
		return err
	}
	if m.chat.Status != db.ChatRunning {
		return errStands
	}
	return nil
}

// step makes one change: it begins the turn of the present step, or takes in its answer.
func (s *Service) step(ctx context.Context, c db.Chat) error {
	if c.DeadlineAt != nil && c.DeadlineAt.Before(s.Now()) {
		return s.fail(ctx, c, s.tooLong())
	}
	f, state, err := parsed(c)
	if err != nil {
		return s.fail(ctx, c, fault.From(err).Message)
	}
	if state.Using() {
		return s.use(ctx, c, f, state)
	}
	if c.TurnID == "" {
		return s.ask(ctx, c, f, state)
	}
	failpoint.Here(failpoint.ChatAsked)
	return s.take(ctx, c, f, state)
}

// fail ends a run with a reason that its owner can read, and calls off the answer that is being made.
func (s *Service) fail(ctx context.Context, c db.Chat, reason string) error {
	m := s.newMove(c)
	m.status(db.ChatError, reason, "")
	err := s.store(ctx, m)
	if err == nil && c.TurnID != "" {
		_, err = s.Turns.Cancel(ctx, c.AccountID, c.TurnID)
	}
	return err
}

// ask begins the step's turn, or finds the one that was begun before a crash, and notes it.
func (s *Service) ask(ctx context.Context, c db.Chat, f *flow.Flow, state flow.State) error {
	asked := f.Ask(state)
	turnID, err := s.start(ctx, c, asked)
	switch {
	case err == nil:
	case passing(err):
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case fault.KindOf(err) == fault.Internal:
		return err // nothing is known of what would become of another attempt
	default:
		return s.fail(ctx, c, fault.From(err).Message)
	}
	failpoint.Here(failpoint.ChatBegun)
	m := s.newMove(c)
	m.chat.TurnID = turnID
	if asked.Sender != "" {
		m.tell(EventSpeaking, Speaking{TurnID: turnID, Sender: asked.Sender, Receiver: asked.Receiver}, 0)
	}
	err = s.store(ctx, m)
	if !errors.Is(err, db.ErrNotFound) {
		return err
	}
	// Another attempt may have noted the same turn; otherwise nobody waits for it.
	now, readErr := s.DB.Chat(ctx, c.AccountID, c.ID)
	if readErr == nil && now.Run == c.Run && (now.TurnID == turnID || now.Version > c.Version+1) {
		return err
	}
	return errors.Join(err, s.Turns.Erase(context.WithoutCancel(ctx), c.AccountID, turnID))
}

// passing tells whether time may heal a failure.
func passing(err error) bool {
	switch fault.KindOf(err) {
	case fault.RateLimited, fault.Unavailable, fault.Upstream:
		return true
	}
	return false
}

var errPayer = fault.New(fault.Forbidden, "The key that pays for the run has been deleted, deactivated or has expired.")

var errClaim = errors.New("the claim of a chat's step is not that of a turn")

// start begins the step's turn under a claim of the chat's version and returns its id.
func (s *Service) start(ctx context.Context, c db.Chat, asked flow.Ask) (string, error) {
	caller, err := s.payer(ctx, c)
	if err != nil {
		return "", err
	}
	in := turn.Input{
		Caller: caller, Surface: Surface, ModelID: asked.Agent.ModelID, SystemPrompt: asked.System, History: asked.History,
		Sampling: turn.Sampling{Temperature: asked.Agent.Temperature, MaxOutputTokens: asked.Agent.MaxTokens},
	}
	if asked.Persona && asked.Agent.AgentID != "" {
		a, err := s.Agents.Get(ctx, c.AccountID, asked.Agent.AgentID)
		if err != nil {
			return "", err
		}
		in.Agent = &a
	}
	if in.Knowledge, err = s.knowledge(ctx, c.AccountID, asked); err != nil {
		return "", err
	}
	offers, err := s.Tools.Offers(ctx, c.AccountID, asked.Tools)
	if err != nil {
		return "", err
	}
	if in.Sampling.Extra, err = offered(offers, asked.ToolChoice); err != nil {
		return "", err
	}
	claim := db.Claim{
		AccountID: c.AccountID, AppID: caller.AppID, Key: "chat " + c.ID + " " + strconv.FormatInt(c.Version, 10),
		Fingerprint: []byte(c.ID), ExpiresAt: s.Now().Add(claimKept),
	}
	live, err := s.Turns.Start(idempotency.With(ctx, claim), in)
	if !errors.Is(err, idempotency.ErrTaken) {
		if err != nil {
			return "", err
		}
		return live.ID, nil
	}
	taken, err := s.DB.Claim(ctx, claim.AccountID, claim.AppID, claim.Key)
	if err == nil && taken.TurnID == nil || errors.Is(err, db.ErrNotFound) {
		return "", errClaim // not wrapped: that of a chat which has changed is another
	}
	if err != nil {
		return "", err
	}
	return *taken.TurnID, nil
}

// payer is who pays for a run, as it is now.
func (s *Service) payer(ctx context.Context, c db.Chat) (key.Caller, error) {
	find := s.DB.CallerByKey
	switch c.PayerKind {
	case "client":
		find = s.DB.CallerByClient
	case "user":
		find = s.DB.CallerByUser
	}
	row, err := find(ctx, c.AccountID, c.PayerID)
	if errors.Is(err, db.ErrNotFound) {
		return key.Caller{}, errPayer
	}
	if err != nil {
		return key.Caller{}, err
	}
	if !row.Active || row.ExpiresAt != nil && row.ExpiresAt.Before(s.Now()) {
		return key.Caller{}, errPayer
	}
	caller := key.CallerOf(row)
	caller.By = c.PayerKind
	return caller, nil
}

// knowledge is what bears on a step's question; nil when its agent has none.
func (s *Service) knowledge(ctx context.Context, accountID string, asked flow.Ask) (*turn.Knowledge, error) {
	if asked.Knowledge == "" {
		return nil, nil
	}
	scope, err := s.Knowledge.ScopeOf(ctx, accountID, asked.Knowledge, "")
	if err != nil || len(scope.Collections) == 0 {
		return nil, err
	}
	found, err := s.Knowledge.Search(ctx, scope, knowledge.Query{Question: asked.Query})
	if err != nil {
		return nil, err
	}
	return &turn.Knowledge{Passages: knowledge.Offered(found)}, nil
}

// take waits for the step's answer and stores what follows from it.
func (s *Service) take(ctx context.Context, c db.Chat, f *flow.Flow, state flow.State) error {
	t, err := s.Turns.Find(ctx, c.AccountID, c.TurnID)
	if err != nil {
		return s.again(ctx, c, err)
	}
	until, reason := s.patience(c, t)
	waiting, cancel := context.WithTimeout(ctx, until.Sub(s.Now()))
	defer cancel()
	answer, err := s.Turns.Answer(waiting, t)
	failpoint.Here(failpoint.ChatAnswered)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case waiting.Err() != nil && err != nil:
		return s.fail(ctx, c, reason)
	case errors.Is(err, db.ErrUnavailable):
		return err // it says nothing about the turn, which may have been answered
	case err != nil && (passing(err) || fault.KindOf(err) == fault.NotFound):
		return s.again(ctx, c, err)
	case err != nil:
		s.Log.Warn("an answer of a chat failed", "chat", c.ID, "turn", c.TurnID, "error", err)
		return s.fail(ctx, c, fault.From(err).Message)
	}
	if len(answer.Calls) > 0 && state.Pending.Kind == flow.Reply {
		return s.wished(ctx, c, f, state, answer)
	}
	state, messages, err := f.Took(state, answer.Content)
	if err != nil {
		return s.fail(ctx, c, fault.From(err).Message)
	}
	m := s.newMove(c)
	m.said(messages)
	if err := m.stand(f, state); err != nil {
		return err
	}
	err = s.went(ctx, m)
	failpoint.Here(failpoint.ChatStored)
	return err
}

// again lets a step be tried once more with a turn of its own, a few times: at once when it was
// only interrupted, as its server may have died long ago.
func (s *Service) again(ctx context.Context, c db.Chat, cause error) error {
	if fault.KindOf(cause) == fault.Internal || errors.Is(cause, db.ErrUnavailable) {
		return cause // it says nothing about the turn
	}
	most, pause := stepAttempts, time.Second<<c.Attempt
	if t, err := s.Turns.Find(ctx, c.AccountID, c.TurnID); err == nil && turn.Interrupted(t) {
		most, pause = stepDeaths, 0
	}
	if c.Attempt+1 >= most {
		return s.fail(ctx, c, fault.From(cause).Message)
	}
	m := s.newMove(c)
	m.chat.TurnID, m.chat.Attempt = "", c.Attempt+1
	if err := s.store(ctx, m); err != nil || pause == 0 {
		return err
	}
	return job.Retry(cause, pause)
}

// forget removes the text of a turn whose chat was deleted under it.
func (s *Service) forget(ctx context.Context, r job.Run, args forgetArgs) error {
	err := s.Turns.Erase(ctx, r.AccountID, args.TurnID)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return nil
	}
	return err
}
