package webchat

import (
	"parley/db"
	gen "parley/gen/webchat"
	"parley/impl/core/knowledge"
)

func toAPIDocument(p db.Page) gen.Document {
	out := gen.Document{
		ID: p.ID, Name: p.FileName, MediaType: p.FileType, Bytes: p.FileBytes, Status: gen.DocumentStatus(knowledge.StatusOf(p)),
		Passages: int32(p.Chunks), CreatedAt: p.CreatedAt.UTC(), UpdatedAt: p.UpdatedAt.UTC(),
	}
	if p.Reason != "" {
		out.Error = &p.Reason
	}
	return out
}

func toAPISite(site knowledge.HeldSite) gen.Site {
	out := gen.Site{
		ID: site.ID, URL: site.URL, Refresh: gen.SiteRefresh(site.Refresh), Status: gen.SiteStatus(site.Status()),
		Pages:     gen.SitePages{Found: site.Found, Indexed: site.Indexed, Queued: site.Queued, Failed: site.Failed},
		CreatedAt: site.CreatedAt.UTC(), UpdatedAt: site.UpdatedAt.UTC(),
	}
	if site.Reason != "" {
		out.Error = &site.Reason
	}
	return out
}
