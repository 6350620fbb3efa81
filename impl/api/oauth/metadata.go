package oauth

import (
	"context"
	"net/http"
	"strings"

	gen "parley/gen/oauth"
	"parley/impl/core/key"
)

// GetOauthMetadata describes the endpoints.
func (a API) GetOauthMetadata(ctx context.Context, _ gen.GetOauthMetadataRequestObject) (gen.GetOauthMetadataResponseObject, error) {
	base := a.base(ctx)
	methods := []gen.OauthWord{"client_secret_basic", "client_secret_post"}
	return gen.GetOauthMetadata200JSONResponse{
		Issuer: base, TokenEndpoint: base + "/oauth/token", IntrospectionEndpoint: base + "/oauth/introspect",
		RevocationEndpoint: base + "/oauth/revoke", GrantTypesSupported: []gen.OauthWord{"client_credentials"},
		ResponseTypesSupported: []gen.OauthWord{}, ScopesSupported: key.Scopes(), TokenEndpointAuthMethodsSupported: methods,
		IntrospectionEndpointAuthMethodsSupported: methods, RevocationEndpointAuthMethodsSupported: methods,
		ServiceDocumentation: base + "/openapi.yaml",
	}, nil
}

// base is the public address of the server, or where the request went to: only its sender reads it.
func (a API) base(ctx context.Context) string {
	if a.publicURL != "" {
		return strings.TrimSuffix(a.publicURL, "/")
	}
	r := ctx.Value(contextKey{}).(*http.Request)
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	return scheme + r.Host
}
