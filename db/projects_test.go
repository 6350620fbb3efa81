package db_test

import (
	"context"
	"testing"
	"time"

	"parley/db"
)

// Numbers of the one project that each tenant has.
const (
	projectID = 4711
	promptID  = 4712
	fileID    = 4713
	licenseID = 4714
)

// storeProject makes the tenant's project: an answered question of a conversation, a picture, a profile.
func (n tenant) storeProject(t testing.TB, d *db.DB) {
	t.Helper()
	ctx, at, session, asked := t.Context(), now(), n.projectSession(), n.turnRow(unique("turn_"))
	asked.Surface, asked.ConversationID, asked.Options = "projects", &session, []byte(`{"prompt_id": 4712}`)
	for _, err := range []error{
		d.InsertProject(ctx, db.Project{AccountID: n.account, ID: projectID, Name: "project", CollectionID: n.collection, Settings: []byte(`{}`), CreatedBy: 1, CreatedAt: at, UpdatedAt: at}),
		d.InsertConversation(ctx, *n.conversationRow(session)),
		d.InsertProjectConversation(ctx, db.ProjectConversation{AccountID: n.account, SessionID: session, ProjectID: projectID, Number: 1, UpdatedAt: at}),
		second(d.BeginTurn(ctx, asked, db.Beginning{Question: &db.Message{ID: unique("msg_"), Content: "Hi"}})),
		d.EndTurn(ctx, ended(asked), ending()),
		reported(d.ReportAnswers(ctx, n.account)),
		d.InsertProjectLicense(ctx, db.ProjectLicense{AccountID: n.account, ProjectID: projectID, ID: licenseID, Name: "l", KeyHash: []byte("h"), CreatedAt: at}),
		d.PutProjectPlugin(ctx, n.pluginRow(n.account)),
		d.PutFeedback(ctx, n.account, session, promptID, nil, 1, at),
		d.InsertProjectImage(ctx, db.ProjectImage{AccountID: n.account, ID: fileID, BlobID: "b", MediaType: "image/png", Bytes: 1, CreatedAt: at}),
		d.PutProjectProfile(ctx, db.ProjectProfile{AccountID: n.account, Name: "Ada", UpdatedAt: at}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func reported(_, _ int, err error) error { return err }

func (n tenant) pluginRow(account string) db.ProjectPlugin {
	return db.ProjectPlugin{AccountID: account, ProjectID: projectID, ID: 1, ModelName: "m", HumanName: "h", CreatedAt: now(), UpdatedAt: now()}
}

func (n tenant) projectSession() string { return "project-" + n.conversation }

// projectCalls are calls of what projects are kept by.
func (n tenant) projectCalls() []call {
	session, all := n.projectSession(), db.ListFilter{Limit: 10}
	listed := db.ProjectConversationFilter{ListFilter: all, ProjectID: projectID, By: db.ByAnybody}
	return []call{
		{"Project", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Project(ctx, a, projectID) }},
		{"LockProject", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.LockProject(ctx, a, projectID) }},
		{"Projects", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Projects(ctx, a, all) }},
		{"CountProjects", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.CountProjects(ctx, a, "") }},
		{"CountQueries", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.CountQueries(ctx, a, projectID) }},
		{"CountProjectWords", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.CountProjectWords(ctx, a) }},
		{"ReadyCollections", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.ReadyCollections(ctx, a, []string{n.collection})
		}},
		{"PublishedKeys", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.PublishedKeys(ctx, a, []int64{projectID}, now())
		}},
		{"FileByNumber", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.FileByNumber(ctx, a, n.pageRow().Number)
		}},
		{"UpdateProject", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.UpdateProject(ctx, db.Project{AccountID: a, ID: projectID, Name: "n", Settings: []byte(`{}`), UpdatedAt: now()}))
		}},
		{"ProjectImage", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.ProjectImage(ctx, a, fileID) }},
		{"DeleteProjectImage", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.DeleteProjectImage(ctx, a, fileID))
		}},
		{"ProjectProfile", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.ProjectProfile(ctx, a) }},
		{"ProjectConversation", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.ProjectConversation(ctx, a, projectID, session)
		}},
		{"ProjectConversations", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.ProjectConversations(ctx, a, listed)
		}},
		{"CountProjectConversations", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.CountProjectConversations(ctx, a, listed)
		}},
		{"RenameProjectConversation", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.RenameProjectConversation(ctx, a, projectID, session, "n", now()))
		}},
		{"RunningProjectTurns", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.RunningProjectTurns(ctx, a, projectID, "")
		}},
		{"ProjectDays", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.ProjectDays(ctx, a, projectID) }},
		{"CountProjectAnswers", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.CountProjectAnswers(ctx, a, projectID, time.Unix(0, 0), now().Add(time.Hour))
		}},
		{"ProjectAnswers", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.ProjectAnswers(ctx, a, projectID, time.Unix(0, 0), now().Add(time.Hour), 0, 10)
		}},
		{"ProjectLicenses", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.ProjectLicenses(ctx, a, projectID, 10)
		}},
		{"ProjectLicense", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.ProjectLicense(ctx, a, projectID, licenseID)
		}},
		{"ProjectLicenseByKey", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.ProjectLicenseByKey(ctx, a, projectID, []byte("h"))
		}},
		{"CountLicenseUse", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.CountLicenseUse(ctx, a, projectID, licenseID, 1, 1))
		}},
		{"RenameProjectLicense", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.RenameProjectLicense(ctx, a, projectID, licenseID, "n", now()))
		}},
		{"DeleteProjectLicense", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.DeleteProjectLicense(ctx, a, projectID, licenseID))
		}},
		{"ProjectPlugin", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.ProjectPlugin(ctx, a, projectID)
		}},
		{"PutProjectPlugin", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.PutProjectPlugin(ctx, n.pluginRow(a)))
		}},
		{"Prompts", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Prompts(ctx, a, session, all) }},
		{"Prompt", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Prompt(ctx, a, session, promptID) }},
		{"CountPrompts", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.CountPrompts(ctx, a, session) }},
		{"EraseProjectConversations", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.EraseProjectConversations(ctx, a, projectID, "", now().AddDate(1, 0, 0), 10)
		}},
		{"DeleteProject", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.DeleteProject(ctx, a, projectID))
		}},
	}
}

// projectsApart are the methods that no account could abuse, with the reason.
var projectsApart = map[string]string{
	"ReserveHost": "sites belong to nobody", "HoldHost": "sites belong to nobody", "ForgetHosts": "sites belong to nobody",
	"ReportAnswers": "counts the account's own answers", "UnreportedAccounts": "for a loop over all accounts", "InsertProjectLicense": "refers to rows of the account",
	"InsertProject": "makes a row of the account", "InsertProjectConversation": "refers to rows of the account", "InsertProjectImage": "makes a row of the account",
	"PutProjectProfile": "the account's own row", "PutFeedback": "refers to rows of the account", "RetainingProjects": "housekeeping over all accounts",
}
