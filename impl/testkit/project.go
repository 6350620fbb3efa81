package testkit

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"parley/db"
	"parley/impl/blobs"
	"parley/impl/core/id"
	"parley/impl/core/key"
	"parley/impl/core/knowledge"
	"parley/impl/core/project"
	"parley/impl/core/turn"
)

// Project stores a project without content.
func (a Account) Project(t testing.TB, edits ...func(*db.Project)) db.Project {
	t.Helper()
	at := now()
	c, err := a.server.App.Knowledge.Create(t.Context(), a.ID, "Test")
	if err != nil {
		t.Fatal(err)
	}
	row := db.Project{
		AccountID: a.ID, ID: id.Number(), Name: "Test", CollectionID: c.ID, KeepsFiles: true, Settings: []byte("{}"), CreatedBy: project.Number(a.ID), CreatedAt: at, UpdatedAt: at,
	}
	for _, edit := range edits {
		edit(&row)
	}
	if err := a.server.DB.InsertProject(t.Context(), row); err != nil {
		t.Fatal(err)
	}
	return row
}

// ProjectConversation begins a conversation with a project.
func (a Account) ProjectConversation(t testing.TB, projectID int64) db.ProjectConversation {
	t.Helper()
	service := project.Service{DB: a.server.DB, Now: now}
	c, err := service.Begin(t.Context(), key.Caller{AccountID: a.ID, AppID: "app_none"}, projectID, "A conversation", "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Prompt stores a question of a conversation with its answer and returns its number.
func (a Account) Prompt(t testing.TB, c db.ProjectConversation, question, answer string) int64 {
	t.Helper()
	ctx, at := t.Context(), now()
	o := project.Options{PromptID: id.Number(), Prompt: question, AskedAt: at, Metadata: project.Metadata{RequestSource: "api"}}
	row := db.Turn{
		AccountID: a.ID, ID: id.New(id.Turn), Surface: project.Surface, ConversationID: &c.SessionID, AppID: "app_none", KeyID: "key_none",
		ModelID: "parley-builtin", State: db.TurnRunning, Owner: "srv_none", Lease: testLease, Options: encode(t, o), CreatedAt: at,
	}
	if _, err := a.server.DB.BeginTurn(ctx, row, db.Beginning{Question: &db.Message{ID: id.New(id.Message), Content: question}}); err != nil {
		t.Fatal(err)
	}
	row.State, row.EndedAt, row.LastEvent = db.TurnCompleted, &at, 2
	message := db.Message{ID: id.New(id.Message), Content: answer}
	events := encode(t, []turn.Event{{N: 1, Kind: turn.Delta, Text: answer}, {N: 2, Kind: turn.Completed, MessageID: message.ID, At: at}})
	if err := a.server.DB.EndTurn(ctx, row, db.Ending{EntryID: id.New(id.Entry), FirstEvent: 1, Events: events, Answer: &message}); err != nil {
		t.Fatal(err)
	}
	return o.PromptID
}

// Pixel is the smallest PNG.
var Pixel, _ = base64.StdEncoding.DecodeString("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")

// Picture stores a picture and returns its number.
func (a Account) Picture(t testing.TB) int64 {
	t.Helper()
	row := db.ProjectImage{AccountID: a.ID, ID: id.Number(), BlobID: id.New("img_"), MediaType: "image/png", Bytes: int64(len(Pixel)), CreatedAt: now()}
	_, err := a.server.App.Blobs.Put(t.Context(), blobs.Name{AccountID: a.ID, Kind: "images", ID: row.BlobID}, row.Bytes, func(w io.Writer) error {
		_, err := io.Copy(w, bytes.NewReader(Pixel))
		return err
	})
	if err == nil {
		err = a.server.DB.InsertProjectImage(t.Context(), row)
	}
	if err != nil {
		t.Fatal(err)
	}
	return row.ID
}

// testLease is longer than any test.
const testLease = time.Hour

func encode(t testing.TB, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// ProjectPage stores a page of an uploaded file that was kept, and returns it.
func (a Account) ProjectPage(t testing.TB, p db.Project, name, content string) db.Page {
	t.Helper()
	page, err := a.server.App.Knowledge.AddFile(t.Context(), a.ID, p.CollectionID, knowledge.File{
		Name: name, Type: "text/plain", Keep: true, Content: strings.NewReader(content),
	})
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// ProjectSite stores a site that has been read, and returns it.
func (a Account) ProjectSite(t testing.TB, p db.Project, url string) db.Source {
	t.Helper()
	at := now()
	row := db.Source{
		AccountID: a.ID, ID: id.New(id.Source), CollectionID: p.CollectionID, Number: id.Number(), Kind: db.SourceSite, URL: url, Refresh: "never",
		Schedule: []byte("[]"), CreateNewPages: true, RefreshExistingPages: "if_updated", State: db.SourceReady, CreatedAt: at, UpdatedAt: at,
	}
	if err := a.server.DB.InsertSource(t.Context(), row); err != nil {
		t.Fatal(err)
	}
	return row
}

// Document stores an upload for an agent or app, and returns it.
func (a Account) Document(t testing.TB, h knowledge.Holder, name, content string) db.Page {
	t.Helper()
	page, err := a.server.App.Knowledge.AddDocument(t.Context(), a.ID, h, knowledge.Text(name, content))
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// Site stores a site for an agent or app, and returns it.
func (a Account) Site(t testing.TB, h knowledge.Holder, url string) knowledge.HeldSite {
	t.Helper()
	site, err := a.server.App.Knowledge.AddHeldSite(t.Context(), a.ID, h, url, knowledge.Never)
	if err != nil {
		t.Fatal(err)
	}
	return site
}
