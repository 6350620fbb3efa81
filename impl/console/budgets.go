package console

import (
	"net/http"

	"parley/gen/client"
	"parley/gen/client/platform"
)

// budgetsPage is what the page of budgets is given.
type budgetsPage struct {
	Budgets []platform.Budget
	Next    string
	Keys    []platform.Key
	Form    map[string]string // as the form had it
}

// Name is what people call whom a budget bounds.
func (p budgetsPage) Name(b platform.Budget) string {
	for _, k := range p.Keys {
		if b.Kind == platform.BudgetKindKey && k.ID == b.Subject {
			return k.Name
		}
	}
	return b.Subject
}

// Used is what a budget's answers have cost and may still cost.
func (budgetsPage) Used(b platform.Budget) int64 {
	return min(b.AmountMicros, b.SpentMicros+b.HeldMicros)
}

func (c *Console) showBudgets(v *visit) error { return v.showBudgets(http.StatusOK, view{}) }

func (v *visit) showBudgets(status int, page view) error {
	var response http.Response
	got, err := v.api.Platform.ListBudgets(v.Context(), &platform.ListBudgetsParams{Cursor: v.cursor(), Limit: few()}, client.Into(&response))
	if err != nil {
		return err
	}
	keys, err := v.api.Platform.ListKeys(v.Context(), &platform.ListKeysParams{Limit: few()})
	if err != nil {
		return err
	}
	data := budgetsPage{Budgets: got, Next: v.next(&response), Keys: keys, Form: map[string]string{}}
	for _, name := range []string{"kind", "subject", "period", "amount"} {
		data.Form[name] = v.field(name)
	}
	page.Title, page.Nav, page.Data = "Budgets", "budgets", data
	return v.show(status, "budgets", page)
}

const noAmount = "An amount is a number such as 5 or 2.50."

func (c *Console) createBudget(v *visit) error {
	micros, wrong := amountOf(v.field("amount"))
	if wrong {
		return v.showBudgets(http.StatusBadRequest, view{Error: v.at("amount", noAmount)})
	}
	_, err := v.api.Platform.CreateBudget(v.Context(), platform.BudgetCreate{
		Kind: platform.BudgetKind(v.field("kind")), Subject: v.field("subject"), Period: platform.BudgetPeriod(v.field("period")), AmountMicros: micros,
	}, v.once())
	return v.settle(err, "/budgets", "created", v.showBudgets)
}

// changeBudget stores another amount, or deletes the budget.
func (c *Console) changeBudget(v *visit) error {
	id := v.PathValue("id")
	if v.field("do") == "delete" {
		return v.settle(v.api.Platform.DeleteBudget(v.Context(), id), "/budgets", "deleted", v.showBudgets)
	}
	micros, wrong := amountOf(v.field("amount"))
	if wrong {
		return v.showBudgets(http.StatusBadRequest, view{Error: v.at("amount", noAmount)})
	}
	_, err := v.api.Platform.UpdateBudget(v.Context(), id, platform.BudgetUpdate{AmountMicros: micros})
	return v.settle(err, "/budgets", "saved", v.showBudgets)
}
