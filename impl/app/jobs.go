package app

import (
	"context"

	"parley/impl/core/chunk"
	"parley/impl/core/crawl"
	"parley/impl/core/extract"
	"parley/impl/core/job"
	"parley/impl/core/knowledge"
	"parley/impl/core/privacy"
	"parley/impl/core/webhook"
	"parley/impl/outbound"
)

// worker is the runner with every kind of job that this server does.
func (a *App) worker() *job.Runner {
	r := job.NewRunner(a.database.DB, a.log, now)
	a.Webhooks.Handle(r)
	a.Privacy.Handle(r)
	a.Repeats.Handle(r)
	a.projects.Handle(r)
	a.Knowledge.Handle(r)
	return r
}

// webhookService sends where an account's outgoing requests may go.
func (a *App) webhookService() *webhook.Service {
	post := outbound.NewPoster(outbound.Options{Allow: a.cfg.allowed})
	return &webhook.Service{DB: a.database.DB, Box: a.box, Now: now, Check: post.Check, Post: post.Post}
}

func (a *App) privacyService() *privacy.Service {
	return &privacy.Service{DB: a.database.DB, Blobs: a.Blobs, Now: now, Cancel: func(ctx context.Context, accountID, turnID string) error {
		_, err := a.turns.Cancel(ctx, accountID, turnID)
		return err
	}}
}

// knowledgeService reads sites where an account's outgoing requests may go.
func (a *App) knowledgeService() *knowledge.Service {
	reader := extract.New(extract.Limits{})
	crawler := crawl.New(crawl.Options{Web: outbound.NewGetter(outbound.Options{Allow: a.cfg.allowed}), Pages: reader})
	return &knowledge.Service{
		DB: a.database.DB, Blobs: a.Blobs, Crawler: crawler, Reader: reader, Split: chunk.Split, Now: now, Log: a.log,
	}
}
