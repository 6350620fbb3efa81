package console

import (
	"net/http"
	"slices"

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

// Ruled are the providers whose models the person may offer.
func (p modelPage) Ruled(operator bool) []platform.Provider {
	return slices.DeleteFunc(slices.Clone(p.Providers), func(one platform.Provider) bool { return one.Shared && !operator || one.BaseURL == nil })
}

// Types are what a model can be for.
func (modelPage) Types() []platform.OfferedModelType {
	return []platform.OfferedModelType{
		platform.OfferedModelTypeLLM, platform.OfferedModelTypeSD, platform.OfferedModelTypeEmbedding, platform.OfferedModelTypeTranscription, platform.OfferedModelTypeSpeech,
	}
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
	status, text, other := v.refusal(err)
	if other != nil {
		return other
	}
	form := map[string]string{}
	for _, name := range []string{"name", "base_url", "provider_id", "upstream_name", "id", "type", "title", "input", "output", "image", "context"} {
		form[name] = v.field(name)
	}
	return v.showModels(status, view{Error: text}, modelPage{Form: form})
}

func (c *Console) createProvider(v *visit) error {
	create := platform.ProviderCreate{Name: v.field("name"), Kind: platform.ProviderCreateKind(v.field("kind")), BaseURL: v.field("base_url")}
	if key := v.field("key"); key != "" {
		create.Key = &key
	}
	if v.field("shared") != "" {
		shared := true
		create.Shared = &shared
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
	case v.field("do") == "delete":
		if err := v.api.Platform.DeleteOfferedModel(v.Context(), v.PathValue("id")); err != nil {
			return v.refusedModels(err)
		}
		return v.see("/models", "deleted")
	case v.field("do") == "price":
		if update.InputMicrosPer1K, update.OutputMicrosPer1K, update.ImageMicros = v.prices(); len(v.wrong) > 0 {
			return v.noPrice()
		}
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

// createModel offers a model of a provider.
func (c *Console) createModel(v *visit) error {
	create := platform.OfferedModelCreate{ProviderID: v.field("provider_id"), Type: platform.OfferedModelType(v.field("type"))}
	for name, to := range map[string]**string{"id": &create.ID, "upstream_name": &create.UpstreamName, "title": &create.Name} {
		if text := v.field(name); text != "" {
			*to = &text
		}
	}
	create.InputMicrosPer1K, create.OutputMicrosPer1K, create.ImageMicros = v.prices()
	if create.MaxContext = limitIn[int32](v, "context"); len(v.wrong) > 0 {
		return v.noPrice()
	}
	if _, err := v.api.Platform.CreateOfferedModel(v.Context(), create, v.once()); err != nil {
		return v.refusedModels(err)
	}
	return v.see("/models", "created")
}

// prices are those of a form, in micro-units; nil where it has none. What is wrong is noted.
func (v *visit) prices() (input, output, image *int64) {
	for name, to := range map[string]**int64{"input": &input, "output": &output, "image": &image} {
		text := v.field(name)
		if text == "" {
			continue
		}
		micros, bad := amountOf(text)
		if bad || micros < 0 {
			v.at(name, "A price is a number such as 0.002.")
		}
		*to = &micros
	}
	return input, output, image
}

func (v *visit) noPrice() error {
	return v.refusedModels(problem{http.StatusBadRequest, "This did not work", "A price is a number such as 0.002, a context a whole number of tokens."})
}
