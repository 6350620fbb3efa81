package console

import (
	"math"
	"net/http"
	"strconv"

	"parley/gen/client"
	"parley/gen/client/platform"
)

// modelPage is what the page of models is given.
type modelPage struct {
	Models    []platform.OfferedModel
	Next      string
	Providers []platform.Provider
	Tested    *platform.ProviderTest // what a test of a provider found
	Of        string                 // the provider that was tested
	Form      map[string]string
}

// ProviderName is what people call a provider.
func (p modelPage) ProviderName(id string) string {
	for _, provider := range p.Providers {
		if provider.ID == id {
			return provider.Name
		}
	}
	return id
}

func (c *Console) showModels(v *visit) error { return v.showModels(http.StatusOK, view{}, modelPage{}) }

func (v *visit) showModels(status int, page view, data modelPage) error {
	limit := int32(pageSize)
	params := &platform.ListOfferedModelsParams{Limit: &limit}
	if cursor := v.URL.Query().Get("cursor"); cursor != "" {
		params.Cursor = &cursor
	}
	var response http.Response
	models, err := v.api.Platform.ListOfferedModels(v.Context(), params, client.Into(&response))
	if err != nil {
		return err
	}
	providers, err := v.api.Platform.ListProviders(v.Context(), &platform.ListProvidersParams{})
	if err != nil {
		return err
	}
	data.Models, data.Next, data.Providers = models, v.next(&response), providers
	page.Title, page.Nav, page.Data = "Models", "models", data
	return v.show(status, "models", page)
}

// refusedModels shows the page of models again with the API's reason.
func (v *visit) refusedModels(err error) error {
	status, text, other := refusal(err)
	if other != nil {
		return other
	}
	form := map[string]string{"name": v.field("name"), "base_url": v.field("base_url")}
	return v.showModels(status, view{Error: text}, modelPage{Form: form})
}

func (c *Console) createProvider(v *visit) error {
	create := platform.ProviderCreate{Name: v.field("name"), Kind: platform.ProviderCreateKind(v.field("kind")), BaseURL: v.field("base_url")}
	if key := v.field("key"); key != "" {
		create.Key = &key
	}
	if _, err := v.api.Platform.CreateProvider(v.Context(), create, v.once()); err != nil {
		return v.refusedModels(err)
	}
	return v.see("/models", "created")
}

// changeProvider tests a provider, with what it offers taken in if so asked, or removes it.
func (c *Console) changeProvider(v *visit) error {
	id := v.PathValue("id")
	if v.field("do") == "delete" {
		if err := v.api.Platform.DeleteProvider(v.Context(), id); err != nil {
			return v.refusedModels(err)
		}
		return v.see("/models", "deleted")
	}
	offer := v.field("do") == "offer"
	tested, err := v.api.Platform.TestProvider(v.Context(), id, platform.ProviderTestOrder{Offer: &offer})
	if err != nil {
		return v.refusedModels(err)
	}
	return v.showModels(http.StatusOK, view{}, modelPage{Tested: tested, Of: id})
}

// changeModel stores what the row of a model says.
func (c *Console) changeModel(v *visit) error {
	var update platform.OfferedModelUpdate
	switch enabled := v.field("do") == "enable"; {
	case v.field("do") == "price":
		input, output := microsOf(v.field("input")), microsOf(v.field("output"))
		if input < 0 || output < 0 {
			return v.showModels(http.StatusBadRequest, view{Error: "A price is a number such as 0.002."}, modelPage{})
		}
		update.InputMicrosPer1K, update.OutputMicrosPer1K = &input, &output
	case v.field("shared") != "":
		update.EnabledHere = &enabled
	default:
		update.Enabled = &enabled
	}
	if _, err := v.api.Platform.UpdateOfferedModel(v.Context(), v.PathValue("id"), update); err != nil {
		return v.refusedModels(err)
	}
	return v.see("/models", "saved")
}

// microsOf reads an amount as people write it; -1 for what is none.
func microsOf(text string) int64 {
	amount, err := strconv.ParseFloat(text, 64)
	if err != nil || amount < 0 || amount > 1_000_000 || math.IsNaN(amount) {
		return -1
	}
	return int64(math.Round(amount * 1_000_000))
}
