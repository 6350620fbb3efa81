-- +goose Up
-- Who a person is to the issuer at which they first signed in: "<issuer> <sub>". Addresses can be given to
-- somebody else; this cannot.
alter table users add column subject text;
