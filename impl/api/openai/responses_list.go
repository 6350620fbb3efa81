package openai

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	gen "parley/gen/openai"
	"parley/impl/core/turn"
)

// itemsPage is how many items a page holds unless the request says otherwise.
const itemsPage = 20

var itemPrefixes = map[string]string{itemMessage: "msg_", itemCall: "fc_", itemResult: "fco_", itemThought: "rs_"}

// ListModelResponseInputItems lists what a response answered.
func (r responses) ListModelResponseInputItems(ctx context.Context, request gen.ListModelResponseInputItemsRequestObject) (gen.ListModelResponseInputItemsResponseObject, error) {
	t, err := r.find(ctx, request.ResponseID)
	if err != nil {
		return nil, err
	}
	log, err := r.turns.Log(ctx, t)
	if err != nil {
		return nil, lostResponse(err)
	}
	items := foldOf(turn.View{TurnID: t.ID}, log[:1]).asked.Items
	for i := range items {
		if items[i].ID == "" {
			items[i].ID = fmt.Sprintf("%s%s_in%d", itemPrefixes[items[i].Type], strings.TrimPrefix(t.ID, turnPrefix), i)
		}
	}
	list, err := toAPIItems(items, request.Params)
	return gen.ListModelResponseInputItems200JSONResponse(list), err
}

// toAPIItems is a page of items.
func toAPIItems(items []entry, page gen.ListModelResponseInputItemsParams) (gen.ResponseItemList, error) {
	if page.Order == nil || *page.Order == gen.ListModelResponseInputItemsParamsOrderDesc {
		slices.Reverse(items)
	}
	if page.After != nil {
		at := slices.IndexFunc(items, func(e entry) bool { return e.ID == *page.After })
		if at < 0 {
			at = len(items) - 1
		}
		items = items[at+1:]
	}
	limit := itemsPage
	if page.Limit != nil {
		limit = int(*page.Limit)
	}
	list := gen.ResponseItemList{Object: gen.ResponseItemListObjectList, Data: []gen.ResponseListedItem{}, HasMore: len(items) > limit}
	items = items[:min(limit, len(items))]
	for _, e := range items {
		var listed gen.ResponseListedItem
		if err := json.Unmarshal(encoded(e), &listed); err != nil {
			return list, fmt.Errorf("list an item: %w", err)
		}
		list.Data = append(list.Data, listed)
	}
	if n := len(items); n > 0 {
		list.FirstID, list.LastID = &items[0].ID, &items[n-1].ID
	}
	return list, nil
}
