package db_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"parley/db"
	"parley/db/dbtest"
)

// call runs a method as an account with the ids of the tenant it closes over.
type call struct {
	name string
	run  func(ctx context.Context, d *db.DB, account string) (any, error)
}

func did(err error) (any, error) { return nil, err }

// calls are the methods that find what they read or change by an account and an
// id, those that end or delete something last.
func (n tenant) calls() []call {
	as := func(t db.Turn, account string) db.Turn { t.AccountID = account; return t }
	return append(slices.Concat(n.credentialCalls(), n.knowledgeCalls(), n.imageCalls(), n.projectCalls(), n.realtimeCalls(), n.chatCalls(), n.talkCalls()), []call{
		{"Account", func(ctx context.Context, d *db.DB, _ string) (any, error) { return d.Account(ctx, unique("acct_")) }},
		{"Agent", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Agent(ctx, a, n.agent) }},
		{"Agents", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Agents(ctx, a, "", 10) }},
		{"Keys", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Keys(ctx, a, "", 100) }},
		{"Key", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Key(ctx, a, n.key) }},
		{"CallerByKey", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.CallerByKey(ctx, a, n.key) }},
		{"LockKey", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.LockKey(ctx, a, n.key) }},
		{"UpdateKey", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.UpdateKey(ctx, db.Key{AccountID: a, ID: n.key, Name: "n", Active: true, Scopes: []string{}, Origins: []string{}, Agents: []string{}}))
		}},
		{"AuditEvents", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.AuditEvents(ctx, a, db.AuditFilter{Limit: 10})
		}},
		{"Conversation", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.Conversation(ctx, a, surface, n.conversation)
		}},
		{"Conversations", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.Conversations(ctx, a, surface, "", 10)
		}},
		{"Sessions", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.Sessions(ctx, a, db.SessionFilter{Surface: surface, AppID: n.app, Limit: 10})
		}},
		{"Messages", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.Messages(ctx, a, n.conversation, 0, 10)
		}},
		{"NewestMessages", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.NewestMessages(ctx, a, n.conversation, 10, 1000)
		}},
		{"MessagesBefore", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.MessagesBefore(ctx, a, n.conversation, 0, 10)
		}},
		{"MessagesOf", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.MessagesOf(ctx, a, []string{n.conversation}, 10)
		}},
		{"Talk", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Talk(ctx, a, n.conversation) }},
		{"RunningTurn", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.RunningTurn(ctx, a, n.conversation)
		}},
		{"RunningConversations", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.RunningConversations(ctx, a, surface, n.app)
		}},
		{"Model", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Model(ctx, a, n.model) }},
		{"ModelOnceOffered", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.ModelOnceOffered(ctx, a, n.model) }},
		{"Models", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Models(ctx, a, "llm", 0, "", 10) }},
		{"DefaultModel", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.DefaultModel(ctx, a, "llm") }},
		{"Provider", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Provider(ctx, a, n.provider) }},
		{"Providers", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Providers(ctx, a) }},
		{"Turn", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Turn(ctx, a, n.turn) }},
		{"TurnChain", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.TurnChain(ctx, a, n.turn, 10, 1<<20)
		}},
		{"EraseTurn", func(ctx context.Context, d *db.DB, a string) (any, error) { return did(d.EraseTurn(ctx, a, n.turn)) }},
		{"TurnEvents", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.TurnEvents(ctx, a, n.turn, 0) }},
		{"UsageByModel", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.UsageByModel(ctx, a, n.app, time.Unix(0, 0), now().Add(time.Hour))
		}},
		{"EngagementSlots", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.EngagementSlots(ctx, a, []string{n.user}, time.Unix(0, 0), now().Add(time.Hour))
		}},
		{"EngagementDays", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.EngagementDays(ctx, a, []string{n.user}, time.Unix(0, 0), now().Add(time.Hour))
		}},
		{"RecordEngagement", func(ctx context.Context, d *db.DB, a string) (any, error) {
			_, err := d.RecordEngagement(ctx, a, []db.EngagementEvent{n.engagementRow()})
			return nil, err // the stranger's own, under the same names
		}},
		{"EngagementState", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.EngagementState(ctx, a, n.agent, n.user)
		}},
		{"EngagementStates", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.EngagementStates(ctx, a, n.agent, n.user, 0, 10)
		}},
		{"UpdateEngagementState", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.UpdateEngagementState(ctx, db.EngagementState{AccountID: a, AgentID: n.agent, UserID: n.user, Version: 2, State: `{"foreign": true}`, UpdatedAt: now()})
		}},
		{"EngagementRules", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.EngagementRules(ctx, a, "", 10) }},
		{"EngagementRule", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.EngagementRule(ctx, a, n.rule) }},
		{"InsertEngagementHits", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.InsertEngagementHits(ctx, a, n.rule, []string{"another"}, now())
		}},
		{"DeleteEngagementHits", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.DeleteEngagementHits(ctx, a, n.rule, []string{n.user}))
		}},
		{"DeleteEngagementRule", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.DeleteEngagementRule(ctx, a, n.rule))
		}},
		{"FoldLedger", func(ctx context.Context, d *db.DB, a string) (any, error) { return did(d.FoldLedger(ctx, a)) }},
		{"Usage", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.Usage(ctx, a, db.UsageFilter{From: time.Unix(0, 0), To: now().Add(time.Hour), By: []string{"day"}, Limit: 10})
		}},
		{"Latencies", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.Latencies(ctx, a, db.UsageFilter{From: time.Unix(0, 0), To: now().Add(time.Hour), By: []string{"day"}})
		}},
		{"Entries", func(ctx context.Context, d *db.DB, a string) (any, error) {
			entries, err := d.Entries(ctx, a, 0, 10)
			for _, e := range entries {
				if e.AccountID != a {
					return entries, err
				}
			}
			return nil, err // an account sees its own
		}},
		{"SetModelPrice", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.SetModelPrice(ctx, a, n.model, 1, 2, 3))
		}},
		{"SetModelFallbacks", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.SetModelFallbacks(ctx, a, n.model, []string{"other"}))
		}},
		{"TouchKey", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.TouchKey(ctx, a, n.key, now(), now().Add(-time.Hour)))
		}},
		{"LockKeyHabits", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.LockKeyHabits(ctx, a, []string{n.key})
		}},
		{"UpdateKeyHabits", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.UpdateKeyHabits(ctx, a, []db.KeyHabit{{KeyID: n.key, Habit: `{"since": "foreign"}`}}))
		}},
		{"BeginTurn", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.BeginTurn(ctx, as(n.turnRow(unique("turn_")), a), db.Beginning{Question: &db.Message{ID: unique("msg_"), Content: "Hi"}})
		}},
		{"Budgets", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Budgets(ctx, a, "", 10) }},
		{"Budget", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Budget(ctx, a, n.budget) }},
		{"UpdateBudget", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.UpdateBudget(ctx, a, n.budget, 5) }},
		{"SpreadMoney", func(ctx context.Context, d *db.DB, a string) (any, error) { return did(d.SpreadMoney(ctx, a, 1)) }},
		{"AppendEvents", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(appendEvents(ctx, d.Queries, as(n.turnRow(n.turn), a), 1, 2, `[{"n":2}]`))
		}},
		{"RequestCancel", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.RequestCancel(ctx, a, n.turn))
		}},
		{"Claim", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.Claim(ctx, a, n.app, "key-of-"+n.turn)
		}},
		{"DropClaim", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.DropClaim(ctx, a, n.app, "key-of-"+n.turn, now()))
		}},
		{"EndTurn", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.EndTurn(ctx, ended(as(n.turnRow(n.turn), a)), ending()))
		}},
		{"Job", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Job(ctx, a, n.job) }},
		{"FinishJob", func(ctx context.Context, d *db.DB, a string) (any, error) {
			owner, outcome, at := "srv", db.JobDone, now()
			return did(d.FinishJob(ctx, db.Job{AccountID: a, ID: n.job, Owner: &owner, Attempt: 1, MaxAttempts: 1, Outcome: &outcome, FinishedAt: &at, RunAt: at}))
		}},
		{"Webhooks", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Webhooks(ctx, a, "", 10) }},
		{"Webhook", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Webhook(ctx, a, n.webhook) }},
		{"LockWebhook", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.LockWebhook(ctx, a, n.webhook) }},
		{"WebhooksFor", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.WebhooksFor(ctx, a, "k") }},
		{"Event", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Event(ctx, a, n.event) }},
		{"Delivery", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Delivery(ctx, a, "", n.delivery) }},
		{"Deliveries", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.Deliveries(ctx, a, n.webhook, "", 10)
		}},
		{"MessageText", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.MessageText(ctx, a, n.conversation, n.message)
		}},
		{"RecordEvent", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.RecordEvent(ctx, n.eventRow(a, unique("evt_"))))
		}},
		{"UpdateWebhook", func(ctx context.Context, d *db.DB, a string) (any, error) {
			w := n.webhookRow()
			w.AccountID, w.Description = a, "changed"
			return did(d.UpdateWebhook(ctx, w))
		}},
		{"UpdateDelivery", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.UpdateDelivery(ctx, db.Delivery{AccountID: a, ID: n.delivery, State: db.DeliveryFailed}))
		}},
		{"DeleteWebhook", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.DeleteWebhook(ctx, a, n.webhook))
		}},
		{"SubjectExists", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.SubjectExists(ctx, a, db.ScopeApp, n.app)
		}},
		{"Exports", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Exports(ctx, a, "", 10) }},
		{"Export", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Export(ctx, a, n.export) }},
		{"EndExport", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.EndExport(ctx, db.Export{AccountID: a, ID: n.export, State: db.PrivacyReady}))
		}},
		{"ExpireExport", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.ExpireExport(ctx, a, n.export))
		}},
		{"VoidExports", func(ctx context.Context, d *db.DB, a string) (any, error) { return did(d.VoidExports(ctx, a)) }},
		{"Erasures", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Erasures(ctx, a, "", 10) }},
		{"Erasure", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.Erasure(ctx, a, n.erasure) }},
		{"AddErased", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.AddErased(ctx, a, n.erasure, 1, 1))
		}},
		{"EndErasure", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.EndErasure(ctx, a, n.erasure, db.PrivacyDone, now()))
		}},
		{"RunningTurns", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.RunningTurns(ctx, a, db.ScopeConversation, n.conversation, now())
		}},
		{"DeleteBudget", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.DeleteBudget(ctx, a, n.budget))
		}},
		{"RevokeKey", func(ctx context.Context, d *db.DB, a string) (any, error) { return did(d.RevokeKey(ctx, a, n.key)) }},
		{"DeleteKey", func(ctx context.Context, d *db.DB, a string) (any, error) { return did(d.DeleteKey(ctx, a, n.key)) }},
		{"DisableModelsExcept", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.DisableModelsExcept(ctx, a, n.provider, []string{}))
		}},
		{"DeleteConversation", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.DeleteConversation(ctx, a, surface, "", n.conversation))
		}},
		{"DeleteSessions", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.DeleteSessions(ctx, a, surface, n.app)
		}},
		{"EraseConversations", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.EraseConversations(ctx, a, db.ScopeConversation, n.conversation, 10)
		}},
		{"EraseConversationsBefore", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.EraseConversationsBefore(ctx, a, now().Add(time.Hour), 10)
		}},
		{"ModelAlias", func(ctx context.Context, d *db.DB, a string) (any, error) { return d.ModelAlias(ctx, a, n.alias) }},
		{"DeleteModelAlias", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.DeleteModelAlias(ctx, a, n.alias))
		}},
		{"EraseLooseTurns", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return did(d.EraseLooseTurns(ctx, a, db.ScopeApp, n.app, now().Add(time.Hour)))
		}},
	}...)
}

// talkCalls walk each source for any text.
func (n tenant) talkCalls() []call {
	var calls []call
	for _, source := range append(slices.Clone(db.TalkSources), db.TalksOfProject) {
		calls = append(calls, call{"Talks", func(ctx context.Context, d *db.DB, a string) (any, error) {
			return d.Talks(ctx, a, source, db.TalkFilter{ProjectID: 1, Pattern: "%", Walk: 10, Messages: 10, Limit: 10})
		}})
	}
	return calls
}

// apart are the methods that no account could abuse, with the reason.
var apart = map[string]string{
	"Accounts": "for operators", "AccountsBefore": "for operators", "UnfoldedAccounts": "a server's work over all accounts", "LockAccount": "for operators", "LockPurses": "for operators", "UpdateAccount": "for operators", "Withdraw": "for operators",
	"SealKey": "the server's own", "SealKeys": "the server's own", "PutSealKey": "the server's own", "DeleteOtherSealKeys": "the server's own",
	"Plans": "for operators", "Plan": "for operators", "PutPlan": "for operators", "DeletePlan": "for operators", "Imbalances": "for operators", "KeyAccount": "for operators", "Close": "pool", "InTx": "pool", "Ping": "pool", "Ready": "pool", "InAct": "no rows", "Clock": "no rows", "Notify": "no rows",
	"Migrate": "schema", "Placements": "schema", "Distribute": "schema",
	"Certificate": "the server's own", "PutCertificate": "the server's own", "DeleteCertificate": "the server's own", "Snapshot": "for operators", "Restore": "for operators", "PoolState": "no rows", "Diagnose": "for operators", "Pending": "schema", "LockFirstStart": "no rows", "CallerByHash": "starts from a secret",
	"ClaimJobs": "a server's work over all accounts", "RenewJobs": "a server's own jobs", "DeleteFinishedJobs": "housekeeping over all accounts",
	"NoteLowBalances": "housekeeping over all accounts", "DeleteOldEvents": "housekeeping over all accounts",
	"InsertWebhook": "makes a row of the account", "InsertEvent": "makes a row of the account", "InsertDelivery": "below",
	"ExpiredExports": "housekeeping over all accounts", "Retentions": "housekeeping over all accounts",
	"InsertExport": "makes a row of the account", "InsertErasure": "makes a row of the account", "EraseAccount": "the account's own rows", "EraseEndUser": "the account's own rows",
	"ForgetAnswers": "the account's own rows", "Retention": "the account's own setting", "SetRetention": "the account's own setting", "ExportRows": "the account's own rows",
	"JobQueues": "for operators", "JobsAdded": "no rows", "EnqueueJob": "makes a row of the account",
	"Act": "its own claim", "DropClaims": "a server's work over all accounts",
	"RenewLeases": "a server's own turns", "LapsedTurns": "a server's work over all accounts", "TakeOverTurn": "a server's work over all accounts; it names the account that LapsedTurns found",
	"Admit": "the account's own bucket", "TakeRateBatch": "the account's own bucket", "Grant": "the account's own balance", "InsertAccount": "makes its account",
	"InsertAuditEvent": "makes a row of the account", "InsertAgent": "makes a row of the account", "InsertBudget": "makes a row of the account", "InsertEngagementState": "makes a row of the account", "InsertImage": "makes a row of the account", "InsertModel": "makes a row of the account", "InsertEngagementRule": "makes a row of the account",
	"MakeEngagementMonth": "the server's housekeeping", "InsertApp": "makes a row of the account",
	"InsertRealtimeSession": "makes a row of the account", "InsertRealtimeSecret": "makes a row of the account", "InsertRealtimeItems": "below",
	"InsertConversation": "makes a row of the account", "PutProvider": "makes a row of the account",
	"AliasesFor": "the account's own rows and everyone's", "ModelAliases": "the account's own rows", "PutModelAlias": "makes a row of the account",
	"BeginTurnsTogether": "each turn names its account", "EndTurnsTogether": "each turn names its account, and only its owner ends it",
	"PutMessageFeedback": "TestFeedbackStaysInsideItsAccount", "MessageFeedback": "TestFeedbackStaysInsideItsAccount",
	"ReplaceHash": "follows LockKey in one transaction", "InsertMessages": "below", "InsertKey": "below", "PutModel": "below",
}

func TestEveryMethodIsHeldToItsAccount(t *testing.T) {
	t.Parallel()
	covered := maps.Clone(apart)
	maps.Copy(covered, credentialsApart)
	maps.Copy(covered, knowledgeApart)
	maps.Copy(covered, projectsApart)
	maps.Copy(covered, chatsApart)
	for _, c := range (tenant{}).calls() {
		covered[c.name] = "a call"
	}
	for m := range reflect.TypeFor[*db.DB]().Methods() {
		if covered[m.Name] == "" {
			t.Errorf("no call shows that %s stays inside its account", m.Name)
		}
	}
}

func TestForeignRowsAreNotFoundAndNotChanged(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	owner, stranger := newProjectTenant(t, d), dbtest.Account(t, d, "free", 1_000_000)
	raw := rawConn(t, dbtest.DSN(t))
	before := rowsOf(t, raw, owner.account)
	for _, c := range owner.calls() {
		got, err := c.run(t.Context(), d, stranger)
		if !errors.Is(err, db.ErrNotFound) && (err != nil || !empty(got)) {
			t.Errorf("%s shows another account %+v, %v", c.name, got, err)
		}
	}
	conflicts := map[string]error{
		"InsertRealtimeItems": d.InsertRealtimeItems(t.Context(), stranger, owner.realtimeSession(), []db.RealtimeItem{{ID: unique("item_"), Item: `{}`}}, db.Spoken{}, now()),
		"InsertMessages":      d.InsertMessages(t.Context(), stranger, owner.conversation, []db.Message{{ID: unique("msg_"), Role: "user", CreatedAt: now()}}),
	}
	_, conflicts["InsertDelivery"] = d.InsertDelivery(t.Context(), db.Delivery{AccountID: stranger, ID: unique("dlv_"), WebhookID: owner.webhook, EventID: owner.event, CreatedAt: now()})
	foreignKey, foreignModel := owner.keyRow(), owner.modelRow()
	foreignKey.AccountID, foreignModel.AccountID = stranger, stranger
	conflicts["InsertKey"] = d.InsertKey(t.Context(), foreignKey, []byte(unique("")))
	conflicts["PutModel"] = d.PutModel(t.Context(), foreignModel)
	for name, err := range conflicts {
		if _, ok := errors.AsType[*db.ConflictError](err); !ok {
			t.Errorf("%s under another account's row: %v", name, err)
		}
	}
	if after := rowsOf(t, raw, owner.account); !maps.Equal(before, after) {
		t.Errorf("rows changed by another account:\nbefore %v\nafter  %v", before, after)
	}
}

// empty tells whether a result shows nothing.
func empty(result any) bool {
	if b, ok := result.(db.Begun); ok {
		return !b.Conversation
	}
	v := reflect.ValueOf(result)
	return !v.IsValid() || v.IsZero() || (v.Kind() == reflect.Slice && v.Len() == 0)
}

// rowsOf is the account's rows in every table, as text.
func rowsOf(t testing.TB, raw *sqlx.DB, account string) map[string]string {
	t.Helper()
	var tables []string
	if err := raw.Select(&tables, `select table_name from information_schema.columns where table_schema = 'public' and column_name = 'account_id'`); err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, table := range tables {
		var texts []string
		if err := raw.Select(&texts, fmt.Sprintf("select x::text from %q x where account_id = $1", table), account); err != nil {
			t.Fatal(err)
		}
		slices.Sort(texts)
		rows[table] = strings.Join(texts, "\n")
	}
	return rows
}
