package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"parley/db"
	"parley/gen"
	"parley/impl/api/characters"
	chatsapi "parley/impl/api/chats"
	engagementapi "parley/impl/api/engagement"
	"parley/impl/api/oauth"
	"parley/impl/api/openai"
	"parley/impl/api/platform"
	"parley/impl/api/projects"
	realtimeapi "parley/impl/api/realtime"
	"parley/impl/api/turns"
	"parley/impl/api/webchat"
	"parley/impl/blobs"
	"parley/impl/console"
	"parley/impl/core/agent"
	"parley/impl/core/audit"
	"parley/impl/core/budget"
	"parley/impl/core/chat"
	"parley/impl/core/conversation"
	"parley/impl/core/engagement"
	"parley/impl/core/file"
	"parley/impl/core/image"
	"parley/impl/core/job"
	"parley/impl/core/key"
	"parley/impl/core/knowledge"
	"parley/impl/core/limit"
	"parley/impl/core/privacy"
	"parley/impl/core/project"
	"parley/impl/core/realtime"
	"parley/impl/core/talk"
	"parley/impl/core/turn"
	"parley/impl/core/usage"
	"parley/impl/core/webhook"
	"parley/impl/docs"
	"parley/impl/httpd"
	"parley/impl/metrics"
	"parley/impl/tracing"
	"parley/impl/widget"
)

// App is a server: its services, its router and what has to be ended.
type App struct {
	*Services
	Handler  *httpd.Edge
	Webhooks *webhook.Service
	Privacy  *privacy.Service
	// Knowledge keeps what agents and apps answer from.
	Knowledge *knowledge.Service
	Images    *image.Service
	Chats     *chat.Service
	Watch     *key.Watch
	Metrics   *metrics.Metrics
	FirstKey  string // the text of the first key; "" unless this start made it
	SetUp     string // the token that makes the first person; "" once somebody is there

	cfg      Config
	log      *slog.Logger
	database *Database
	clock    *clock
	turns    *turn.Engine
	agents   *agent.Service
	projects *project.Service
	advisor  *engagement.Advisor
	traces   *tracing.Tracing
	jobs     *job.Runner
	Blobs    *blobs.Store
	stopping atomic.Bool
	cancel   context.CancelFunc
	loops    sync.WaitGroup // end with cancel
}

// New migrates the database and builds the server. Close it in any case.
func New(ctx context.Context, cfg Config, database *Database, log *slog.Logger) (*App, error) {
	if _, err := database.Migrate(ctx); err != nil {
		return nil, err
	}
	clock := newClock(time.Now())
	if err := clock.look(ctx, database.DB); err != nil {
		return nil, err
	}
	services, err := newServices(ctx, cfg, database.DB, clock.now)
	if err != nil {
		return nil, err
	}
	a := &App{Services: services, cfg: cfg, log: log, database: database, clock: clock}
	if a.traces, err = tracing.FromEnvironment(ctx, cfg.Version); err != nil {
		return nil, err
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	a.cancel = cancel
	a.loops.Go(func() { clock.keep(life, database.DB) })
	if a.Blobs, err = blobs.Open(ctx, cfg.Blobs, services.box); err != nil {
		return nil, errors.Join(err, a.Close(ctx))
	}
	if err := offerModels(life, services.Models, cfg.Upstream, log); err != nil {
		return nil, errors.Join(err, a.Close(ctx))
	}
	if a.FirstKey, err = firstStart(ctx, services); err != nil {
		return nil, errors.Join(err, a.Close(ctx))
	}
	if a.SetUp, err = services.Users.SetUpToken(ctx); err != nil {
		return nil, errors.Join(err, a.Close(ctx))
	}
	if err := a.checkAdmission(ctx); err != nil {
		return nil, errors.Join(err, a.Close(ctx))
	}
	a.turns = turn.New(database.DB, services.Models, log, a.clock.now)
	a.Metrics = metrics.New(cfg.Version)
	a.turns.Meter = a.Metrics
	a.turns.Encoders = map[string]turn.Encoder{"webchat": webchat.Encode, "characters": characters.Encode, "openai": openai.Encode, engagementapi.Name: engagementapi.Encode, "projects": projects.Encode, chat.Surface: chatsapi.Encode}
	folding := &usage.Service{DB: database.DB, Now: a.clock.now}
	a.loops.Go(func() { folding.KeepFolded(life, log) })
	a.Watch = &key.Watch{DB: database.DB, Now: a.clock.now}
	a.loops.Go(func() { a.Watch.Keep(life, log) })
	a.Webhooks, a.Privacy, a.Knowledge = a.webhookService(), a.privacyService(), a.knowledgeService()
	if err := a.Knowledge.UseVectors(ctx); err != nil {
		return nil, errors.Join(err, a.Close(ctx))
	}
	a.turns.Knowledge = a.Knowledge.For
	a.turns.Wholes = map[string]turn.Whole{"webchat": webchat.Whole, "characters": characters.Whole, "openai": openai.Whole, engagementapi.Name: engagementapi.Whole, "projects": projects.Whole}
	a.Images = &image.Service{DB: database.DB, Turns: a.turns, Models: a.Models, Blobs: a.Blobs, Log: log, Now: a.clock.now}
	a.turns.Listen(database.direct)
	a.projects = &project.Service{
		DB: database.DB, Models: a.Models, Turns: a.turns, Blobs: a.Blobs, Now: a.clock.now, Knowledge: a.Knowledge, Stopping: a.stopping.Load,
		Conversations: &conversation.Service{DB: database.DB, Models: a.Models, Turns: a.turns, Now: a.clock.now, Shown: a.Images.Shown},
	}
	a.loops.Go(func() { a.projects.KeepReported(life, log) })
	a.agents = &agent.Service{DB: database.DB, Models: a.Models, Now: a.clock.now, Release: a.releaseAgent}
	a.advisor = a.newAdvisor()
	a.Chats = chat.New(chat.Services{
		DB: database.DB, Turns: a.turns, Agents: a.agents, Models: a.Models, Knowledge: a.Knowledge, Tools: a.toolService(), Log: log, Now: a.clock.now,
		StepTime: cfg.ChatStepTime, RunTime: cfg.ChatRunTime,
	})
	a.loops.Go(func() { a.Chats.Listen(life, database.direct) })
	if err := a.advisor.Figures.MakeMonths(ctx); err != nil {
		return nil, errors.Join(err, a.Close(ctx))
	}
	if a.Handler, err = a.router(); err != nil {
		return nil, errors.Join(err, a.Close(ctx))
	}
	a.jobs = a.worker()
	a.watchState()
	a.jobs.Start()
	return a, nil
}

// document is what the server enforces, loaded once however many servers a process runs.
var document = sync.OnceValues(func() (*httpd.Document, error) { return httpd.LoadDocument(gen.JSON) })

// router puts the surfaces behind the edge.
func (a *App) router() (*httpd.Edge, error) {
	doc, err := document()
	if err != nil {
		return nil, err
	}
	usages := &usage.Service{DB: a.database.DB, Now: a.clock.now}
	links := &file.Links{Credentials: a.Keys.Credentials, Now: a.clock.now}
	conversations := a.projects.Conversations
	limits := &limit.Limiter{DB: a.database.DB, Now: a.clock.now}
	personas := characters.Services{
		Agents: a.agents, Conversations: conversations, Models: a.Models, Turns: a.turns, Images: a.Images, Links: links, PublicURL: a.cfg.PublicURL,
		Knowledge: a.Knowledge,
	}
	pictures := openai.Pictures{Images: a.Images, Models: a.Models, Links: links, PublicURL: a.cfg.PublicURL}
	a.turns.Pictures = bySurface(map[string]repeat{"characters": characters.Repeated(personas), "openai": openai.Repeated(pictures)})
	return httpd.New(httpd.Config{
		Pages:          a.pages(),
		Document:       doc,
		Keys:           a.authenticator(),
		EndUsers:       a.Keys,
		Limits:         limits,
		Repeats:        a.Repeats,
		Turns:          a.turns,
		Saw:            a.Watch.Saw,
		Meter:          a.Metrics,
		Traces:         a.traces,
		Log:            a.log,
		TrustedProxies: a.cfg.proxies,
		AddressRate:    a.cfg.AddressRate,
		Fallback:       httpd.Problem,
		Surfaces: []httpd.Surface{
			platform.New(platform.Services{
				Ready: a.ready, Health: a.health(), Keys: a.Keys, Accounts: a.Accounts, Audit: &audit.Log{DB: a.database.DB},
				OAuth: a.OAuth, Users: a.Users, OIDC: a.signIn(), Secure: a.cfg.secure(), Budgets: &budget.Service{DB: a.database.DB, Now: a.clock.now}, Webhooks: a.Webhooks, Privacy: a.Privacy, Usage: usages, Images: a.Images, Links: links, Models: a.Models,
				Talks: &talk.Service{DB: a.database.DB, Asked: map[string]func(string) string{"openai": openai.Question}},
			}),
			turns.New(a.turns),
			webchat.New(conversations, a.Knowledge, usages, a.projects, a.Keys, a.clock.now),
			characters.New(personas),
			oauth.New(a.OAuth, a.cfg.PublicURL),
			engagementapi.New(a.advisor),
			chatsapi.New(a.Chats, a.Keys),
			openai.New(openai.Services{Agents: a.agents, Turns: a.turns, Pictures: pictures}),
			projects.New(a.projects, a.cfg.PublicURL),
			realtimeapi.New(&realtime.Service{
				DB: a.database.DB, Agents: a.agents, Conversations: conversations, Knowledge: a.Knowledge, Limits: limits, Turns: a.turns, Keys: a.Keys, Now: a.clock.now,
				OpenPerAccount: a.cfg.RealtimeSessions, OpenPerKey: a.cfg.RealtimePerKey,
			}, a.clock.now),
		},
	})
}

// pages are what people look at, beside the document.
func (a *App) pages() map[string]func(http.Handler) http.Handler {
	return map[string]func(http.Handler) http.Handler{
		console.Prefix: console.New(console.Config{PublicURL: a.cfg.PublicURL, OIDC: a.cfg.OIDCClientID != "", Log: a.log}),
		docs.Prefix:    docs.New(),
		widget.Path:    func(http.Handler) http.Handler { return widget.New() },
	}
}

// newAdvisor is who answers on the surface engagement.
func (a *App) newAdvisor() *engagement.Advisor {
	return &engagement.Advisor{
		Figures: &engagement.Service{DB: a.database.DB, Now: a.clock.now}, Agents: a.agents,
		Conversations: a.projects.Conversations,
		Turns:         a.turns, Surface: engagementapi.Name,
	}
}

// Projects keeps projects.
func (a *App) Projects() *project.Service { return a.projects }

// releaseAgent removes the knowledge of an agent that goes.
func (a *App) releaseAgent(ctx context.Context, q *db.Queries, accountID, agentID string) error {
	return a.Knowledge.Release(ctx, q, accountID, knowledge.Agent(agentID))
}

// ready is nil while the server can serve.
func (a *App) ready(ctx context.Context) error {
	if a.stopping.Load() {
		return errors.New("the server is shutting down")
	}
	return a.database.Ready(ctx)
}

// lastWords bounds how long readers may take to receive the end of a turn that was given up.
const lastWords = 2 * time.Second

// Serve serves on l until ctx ends, then lets requests and streams finish for
// the configured time.
func (a *App) Serve(ctx context.Context, l net.Listener) error {
	server := httpd.NewServer(a.farewell(a.Handler), a.log)
	serve := server.Serve
	config, err := a.tlsConfig()
	if err != nil {
		return err
	}
	if config != nil {
		server.TLSConfig = config
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	failed := make(chan error, 1)
	go func() { failed <- serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	a.stopping.Store(true)
	if err := a.lingers(failed); err != nil {
		return err
	}
	a.Chats.Stop()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.cfg.ShutdownTimeout)
	defer cancel()
	stopped := make(chan struct{})
	go func() { a.jobs.Stop(grace); close(stopped) }()
	drained := make(chan struct{})
	go func() { a.Handler.Drain(grace); close(drained) }()
	// Requests that have arrived may still begin turns, and streams end when their
	// turns do; what remains are turns whose clients have left.
	err = server.Shutdown(grace)
	<-drained
	a.turns.Stop(grace)
	<-stopped
	if errors.Is(err, context.DeadlineExceeded) {
		// The turns that did not finish have been ended; their readers still have to be told.
		telling, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
		defer cancel()
		err = server.Shutdown(telling)
	}
	return errors.Join(err, server.Close())
}

// farewell tells with every answer, once the server is stopping, that its connection ends with it. A request that is
// sent on an idle connection in the moment in which the stop closes it is lost without an answer, and nobody may repeat
// a POST: so clients and balancers are brought to leave their connections before.
func (a *App) farewell(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.stopping.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// lingers goes on serving for the configured time, so that balancers that ask
// /readyz have looked away before connections are refused.
func (a *App) lingers(failed <-chan error) error {
	timer := time.NewTimer(a.cfg.ShutdownDelay)
	defer timer.Stop()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-timer.C:
		return nil
	}
}

// Close ends what New started and the database. It may follow Serve.
func (a *App) Close(ctx context.Context) error {
	a.cancel()
	ended, cancel := context.WithCancel(ctx)
	cancel() // nobody waits for open sockets here
	if a.Handler != nil {
		a.Handler.Drain(ended)
	}
	if a.turns != nil {
		a.turns.Stop(ctx)
	}
	a.loops.Wait()
	if a.jobs != nil {
		a.jobs.Stop(ctx)
	}
	a.closeTraces(ctx)
	var err error
	if a.Blobs != nil {
		err = a.Blobs.Close()
	}
	return errors.Join(err, a.database.Close())
}
