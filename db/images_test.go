package db_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"parley/db"
)

func (n tenant) image() string { return "img_of_" + n.turn }

// storeImages makes the tenant's image, in its conversation.
func (n tenant) storeImages(t testing.TB, d *db.DB) {
	t.Helper()
	err := d.InsertImage(t.Context(), db.Image{
		AccountID: n.account, ID: n.image(), Purpose: db.ImageListed, TurnID: &n.turn, AppID: n.app, ConversationID: &n.conversation,
		State: db.ImageWaiting, CreatedAt: now(),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// imageCalls are the methods of images, agents and conversations that change
// what they find by an account and an id.
func (n tenant) imageCalls() []call {
	return []call{
		{"Image", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Image(ctx, a, n.image()) }},
		{"ImageOfTurn", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.ImageOfTurn(ctx, a, n.turn) }},
		{"Images", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Images(ctx, a, 0, 10) }},
		{"Uploads", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Uploads(ctx, a, "", 10) }},
		{"StorageLeft", func(ctx context.Context, d *db.DB, a string) (any, error) {
			used, _, err := d.StorageLeft(ctx, a)
			return used, err
		}},
		{"SwitchModel", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.SwitchModel(ctx, a, n.model, true, now()))
		}},
		{"CountImages", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.CountImages(ctx, a) }},
		{"ImagesNamed", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.ImagesNamed(ctx, a, []string{n.image()})
		}},
		{"StoredBytes", func(ctx context.Context, d *db.DB, a string) (any, error) {
			used, _, err := d.StoredBytes(ctx, a)
			return used, err
		}},
		{"KeepImage", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.KeepImage(ctx, a, n.image(), n.turn, 50, time.Hour)
		}},
		{"EndImage", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.EndImage(ctx, db.Image{AccountID: a, ID: n.image(), State: db.ImageReady}))
		}},
		{"AttachImage", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.AttachImage(ctx, a, n.conversation, n.message, n.image()))
		}},
		{"SetAvatar", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.SetAvatar(ctx, a, n.agent, n.image())
		}},
		{"DeleteImage", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.DeleteImage(ctx, a, n.image(), now()))
		}},
		{"EraseImages", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.EraseImages(ctx, a, db.ScopeApp, n.app, now()))
		}},
		{"UpdateAgent", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.UpdateAgent(ctx, db.Agent{AccountID: a, ID: n.agent, Name: "Another"}))
		}},
		{"DeleteAgent", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.DeleteAgent(ctx, a, n.agent) }},
		{"OfferedModels", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return ownModels(d.OfferedModels(ctx, a, "", 1000))
		}},
		{"OfferedModel", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.OfferedModel(ctx, a, n.model) }},
		{"UpdateModel", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.UpdateModel(ctx, db.Model{AccountID: a, ID: n.model, Name: "Another"}))
		}},
		{"DeleteModel", func(ctx context.Context, d *db.DB, a string) (any, error) { return did(d.DeleteModel(ctx, a, n.model)) }},
		{"ProvidersAfter", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return ownProviders(d.ProvidersAfter(ctx, a, "", 1000))
		}},
		{"DeleteProvider", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.DeleteProvider(ctx, a, n.provider))
		}},
		{"UpdateConversation", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.UpdateConversation(ctx, db.Conversation{AccountID: a, ID: n.conversation, Surface: surface, Title: "Another"}))
		}},
	}
}

// ownModels leaves out what everybody is offered.
func ownModels(models []db.Model, err error) (any, error) {
	return slices.DeleteFunc(models, func(m db.Model) bool { return m.AccountID == db.Everyone }), err
}

func ownProviders(providers []db.Provider, err error) (any, error) {
	return slices.DeleteFunc(providers, func(p db.Provider) bool { return p.AccountID == db.Everyone }), err
}
