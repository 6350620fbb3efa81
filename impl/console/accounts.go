package console

import (
	"math"
	"net/http"
	"strconv"

	"parley/gen/client"
	"parley/gen/client/platform"
)

// accountsPage is what the page of the server's accounts is given.
type accountsPage struct {
	Accounts   []platform.Account
	Next       string
	Plans      []platform.Plan
	Name, Plan string // as the form had them
}

func (c *Console) showAccounts(v *visit) error { return v.showAccounts(http.StatusOK, view{}) }

func (v *visit) showAccounts(status int, page view) error {
	var response http.Response
	got, err := v.api.Platform.ListAccounts(v.Context(), &platform.ListAccountsParams{Cursor: v.cursor(), Limit: few()}, client.Into(&response))
	if err != nil {
		return err
	}
	plans, err := v.api.Platform.ListPlans(v.Context(), &platform.ListPlansParams{})
	if err != nil {
		return err
	}
	page.Title, page.Nav = "Accounts", "accounts"
	page.Data = accountsPage{Accounts: got, Next: v.next(&response), Plans: plans, Name: v.field("name"), Plan: v.field("plan")}
	return v.show(status, "accounts", page)
}

func (c *Console) createAccount(v *visit) error {
	create := platform.AccountCreate{Name: v.field("name")}
	if plan := v.field("plan"); plan != "" {
		create.Plan = &plan
	}
	made, err := v.api.Platform.CreateAccount(v.Context(), create, v.once())
	if err != nil {
		return v.settle(err, "", "", v.showAccounts)
	}
	return v.see("/accounts/"+made.ID, "created")
}

// accountPage is the page of one account of the server.
type accountPage struct {
	Account        platform.Account
	Plans          []platform.Plan
	Made           *platform.KeyWithText
	Amount, Reason string // as the form had them
}

func (c *Console) showAccount(v *visit) error { return v.showAccount(http.StatusOK, view{}, nil) }

func (v *visit) showAccount(status int, page view, made *platform.KeyWithText) error {
	got, err := v.api.Platform.GetAccount(v.Context(), v.PathValue("id"))
	if err != nil {
		return err
	}
	plans, err := v.api.Platform.ListPlans(v.Context(), &platform.ListPlansParams{})
	if err != nil {
		return err
	}
	page.Title, page.Nav = got.Name, "accounts"
	page.Data = accountPage{Account: *got, Plans: plans, Made: made, Amount: v.field("amount"), Reason: v.field("reason")}
	return v.show(status, "account", page)
}

// changeAccount does what a form of an account says.
func (c *Console) changeAccount(v *visit) error {
	id := v.PathValue("id")
	again := func(status int, page view) error { return v.showAccount(status, page, nil) }
	var err error
	switch v.field("do") {
	case "adjust":
		amount, wrong := amountOf(v.field("amount"))
		if wrong {
			return again(http.StatusBadRequest, view{Error: v.at("amount", "An amount is a number such as 25 or -2.50.")})
		}
		_, err = v.api.Platform.AdjustBalance(v.Context(), id, platform.AdjustmentCreate{AmountMicros: amount, Reason: v.field("reason")}, v.once())
	case "key":
		create := platform.KeyCreate{Name: v.field("name")}
		if v.field("admin") != "" {
			create.Scopes = &platform.KeyScopes{platform.KeyScopeAdmin}
		}
		made, err := v.api.Platform.CreateAccountKey(v.Context(), id, create, v.once())
		if err != nil {
			return v.settle(err, "", "", again)
		}
		return v.showAccount(http.StatusCreated, view{}, made)
	default:
		name, plan := v.field("name"), v.field("plan")
		_, err = v.api.Platform.UpdateAccount(v.Context(), id, platform.AccountUpdate{Name: &name, Plan: &plan})
	}
	return v.settle(err, "/accounts/"+id, "saved", again)
}

// amountOf reads an amount as people write it, in micro-units; wrong for what is none.
func amountOf(text string) (micros int64, wrong bool) {
	amount, err := strconv.ParseFloat(text, 64)
	if err != nil || math.Abs(amount) > 1_000_000_000 || math.IsNaN(amount) {
		return 0, true
	}
	return int64(math.Round(amount * 1_000_000)), false
}

// warnAt stores below what balance people and webhooks are warned.
func (c *Console) warnAt(v *visit) error {
	micros, wrong := amountOf(v.field("amount"))
	if wrong || micros < 0 {
		return v.showLedger(http.StatusBadRequest, view{Error: v.at("amount", "The balance to warn at is a number such as 5.")})
	}
	_, err := v.api.Platform.UpdateOwnAccount(v.Context(), platform.AccountSettings{BalanceLowMicros: &micros})
	return v.settle(err, "/balance", "saved", v.showLedger)
}
