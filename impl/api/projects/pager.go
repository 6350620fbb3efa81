package projects

import (
	"context"
	"net/url"
	"strconv"
)

// pager is a page of a list as this surface describes it.
type pager struct {
	page, perPage, from, to, last, total int64
	path                                 string
	query                                url.Values
}

// pageOf describes a page with some of a list's items.
func (b base) pageOf(ctx context.Context, page, perPage, shown int, total int64) pager {
	r := requestOf(ctx)
	p := pager{
		page: int64(page), perPage: int64(perPage), total: total, path: b.of(r) + r.URL.EscapedPath(), query: r.URL.Query(),
		last: max(1, (total+int64(perPage)-1)/int64(perPage)),
	}
	if shown > 0 {
		p.from = (p.page-1)*p.perPage + 1
		p.to = p.from + int64(shown) - 1
	}
	return p
}

func (p pager) address(page int64) string {
	query := url.Values{}
	for name, values := range p.query {
		if name != "width" && name != "height" { // of embed codes, not of the list
			query[name] = values
		}
	}
	query.Set("page", strconv.FormatInt(page, 10))
	return p.path + "?" + query.Encode()
}

// neighbour is the address of a page; nil when there is no such page.
func (p pager) neighbour(page int64) *string {
	if page < 1 || page > p.last {
		return nil
	}
	address := p.address(page)
	return &address
}

func orNull(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}
