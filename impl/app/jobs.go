package app

import (
	"context"

	"parley/impl/core/chunk"
	"parley/impl/core/crawl"
	"parley/impl/core/embedding"
	"parley/impl/core/extract"
	"parley/impl/core/job"
	"parley/impl/core/knowledge"
	"parley/impl/core/privacy"
	"parley/impl/core/tool"
	"parley/impl/core/webhook"
	"parley/impl/outbound"
	"parley/impl/toolclient"
)

// worker is the runner with every kind of job that this server does.
func (a *App) worker() *job.Runner {
	r := job.NewRunner(a.database.DB, a.log, a.clock.now)
	a.Webhooks.Handle(r)
	a.Privacy.Handle(r)
	a.Repeats.Handle(r)
	a.projects.Handle(r)
	a.advisor.Handle(r)
	a.Chats.Handle(r)
	a.Images.Handle(r)
	a.Users.Handle(r)
	a.Knowledge.Handle(r)
	return r
}

// webhookService sends where an account's outgoing requests may go.
func (a *App) webhookService() *webhook.Service {
	post := outbound.NewPoster(outbound.Options{Allow: a.cfg.allowed})
	return &webhook.Service{DB: a.database.DB, Box: a.box, Now: a.clock.now, Check: post.Check, Post: post.Post}
}

// toolService calls what accounts have registered, where their outgoing requests may go.
func (a *App) toolService() *tool.Service {
	return &tool.Service{DB: a.database.DB, Box: a.box, Now: a.clock.now, Client: toolclient.New(outbound.Options{Allow: a.cfg.allowed})}
}

// knowledgeService crawls where an account's outgoing requests may go.
func (a *App) knowledgeService() *knowledge.Service {
	reader := extract.New(extract.Limits{})
	web := outbound.NewGetter(outbound.Options{Allow: a.cfg.allowed})
	return &knowledge.Service{
		DB: a.database.DB, Blobs: a.Blobs, Crawler: crawl.New(crawl.Options{Web: web, Pages: reader, Pace: a.database.DB}), Reader: reader,
		Split: chunk.Split, Now: a.clock.now, Log: a.log,
		Embedder: embedding.ForKnowledge{Service: &embedding.Service{Turns: a.turns}, Models: a.Models},
	}
}

func (a *App) privacyService() *privacy.Service {
	return &privacy.Service{DB: a.database.DB, Blobs: a.Blobs, Now: a.clock.now, Cancel: func(ctx context.Context, accountID, turnID string) error {
		_, err := a.turns.Cancel(ctx, accountID, turnID)
		return err
	}}
}
