package console_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"parley/impl/testkit"
)

// onPages are the operations that administrators have, each with the page of the console that offers it.
var onPages = map[string]string{
	"listKeys": "keys", "createKey": "keys", "getKey": "keys/{id}", "updateKey": "keys/{id}", "deleteKey": "keys/{id}", "rotateKey": "keys/{id}",
	"listUsage": "usage", "listLedgerEntries": "balance", "getOwnAccount": "balance", "updateOwnAccount": "balance",
	"listBudgets": "budgets", "createBudget": "budgets", "updateBudget": "budgets/{id}", "deleteBudget": "budgets/{id}",
	"listOfferedModels": "models", "createOfferedModel": "models", "updateOfferedModel": "models/{id}", "deleteOfferedModel": "models/{id}",
	"listProviders": "models", "createProvider": "providers", "deleteProvider": "providers/{id}", "testProvider": "providers/{id}",
	"listAccountConversations": "conversations", "getAccountConversation": "conversations/{id}",
	"listUsers": "people", "createUser": "people", "updateUser": "people/{id}", "deleteUser": "people/{id}", "createUserLink": "people/{id}",
	"listOauthClients": "clients", "createOauthClient": "clients", "getOauthClient": "clients/{id}", "updateOauthClient": "clients/{id}",
	"deleteOauthClient": "clients/{id}", "rotateOauthClient": "clients/{id}",
	"listWebhooks": "webhooks", "createWebhook": "webhooks", "getWebhook": "webhooks/{id}", "updateWebhook": "webhooks/{id}", "deleteWebhook": "webhooks/{id}",
	"rotateWebhookSecret": "webhooks/{id}", "sendWebhookTest": "webhooks/{id}", "listWebhookDeliveries": "webhooks/{id}", "repeatWebhookDelivery": "webhooks/{id}",
	"listAuditEvents": "audit",
	"listExports":     "privacy", "createExport": "privacy", "downloadExport": "privacy", "getExport": "live/exports/{id}",
	"listErasures": "privacy", "createErasure": "privacy", "getErasure": "live/erasures/{id}", "getRetention": "privacy", "setRetention": "privacy",
	"listModelAliases": "aliases", "putModelAlias": "aliases", "deleteModelAlias": "aliases",
	"listPlans": "plans", "putPlan": "plans", "deletePlan": "plans",
	"listAccounts": "accounts", "createAccount": "accounts", "getAccount": "accounts/{id}", "updateAccount": "accounts/{id}", "adjustBalance": "accounts/{id}", "createAccountKey": "accounts/{id}",
}

// onNoPage are those that no page needs, with the reason.
var onNoPage = map[string]string{
	"getBudget": "the list shows all of it", "getProvider": "the list shows all of it", "getUser": "the list shows all of it",
	"getModelAlias": "the list shows all of it", "getPlan": "the list shows all of it",
}

// Everything that administrators can do by the API they can do in the console: an operation that is new gets a page, or a reason why none.
func TestEveryAdministrativeOperationHasItsPage(t *testing.T) {
	t.Parallel()
	_, b := operator(t)
	calls := programs(t)
	known := map[string]bool{}
	for path, item := range testkit.Document().Paths.Map() {
		if !strings.HasPrefix(path, "/api/v1/admin/") && !strings.HasPrefix(path, "/api/v1/keys") {
			continue
		}
		for method, op := range item.Operations() {
			known[op.OperationID] = true
			page, paged := onPages[op.OperationID]
			if _, excused := onNoPage[op.OperationID]; paged == excused {
				t.Errorf("%s %s (%s): no page, or both a page and a reason for none", method, path, op.OperationID)
			}
			if paged {
				thereIs(t, b, page)
			}
			if called := strings.ToUpper(op.OperationID[:1]) + op.OperationID[1:]; paged && !strings.Contains(calls, "."+called+"(") && !strings.Contains(calls, inPath(path)) {
				t.Errorf("no page calls %s", op.OperationID)
			}
		}
	}
	for _, named := range []map[string]string{onPages, onNoPage} {
		for id := range named {
			if !known[id] {
				t.Errorf("%s is no administrative operation", id)
			}
		}
	}
}

// programs are what the console's pages run.
func programs(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, pattern := range []string{"*.go", "pages/*.html"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, name := range files {
			raw, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(name, "_test.go") {
				all.Write(raw)
			}
		}
	}
	return all.String()
}

// inPath is how a page or a route of the console names a path with one id.
func inPath(path string) string {
	before, after, found := strings.Cut(path, "{")
	if !found {
		return path
	}
	_, after, _ = strings.Cut(after, "}")
	if after == "" {
		return before + `{id}"`
	}
	return before + "{{.ID}}" + after
}

// thereIs fails unless the console has the page: one of a thing that is not there says so itself, one that is not there says that there is no such page.
func thereIs(t *testing.T, b *browser, page string) {
	t.Helper()
	got := b.get("/console/" + strings.ReplaceAll(page, "{id}", "none"))
	formsOnly := []string{"models/{id}", "providers", "providers/{id}", "budgets/{id}", "people/{id}"}
	if slices.Contains(formsOnly, page) {
		got = b.post("/console/"+strings.ReplaceAll(page, "{id}", "none"), "do", "nothing", "amount", "x")
	}
	if strings.Contains(got.body, "There is no such page") || got.status >= http.StatusInternalServerError || got.status == http.StatusMethodNotAllowed {
		t.Errorf("the page %s: %d", page, got.status)
	}
}
