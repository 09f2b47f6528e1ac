//! "Embedded Filters", "Top-level Filtering" and "Null filtering on Embedded Resources".

use crate::question::questions;

questions! {
    // ---- shaping the embedded rows ----
    embedded_order: "films?select=id,actors(id,last_name)&actors.order=last_name,first_name&order=id" =>
        { "table": "films", "select": "id,actors(id,last_name)", "embed": { "actors": { "order": "last_name,first_name" } }, "order": "id" };
    embedded_filter: "films?select=id,roles(character)&roles.character=in.(Chico,Harpo,Groucho)" =>
        { "table": "films", "select": "id,roles(character)", "embed": { "roles": { "filter": { "character": { "in": ["Chico", "Harpo", "Groucho"] } } } } };
    embedded_or: "films?select=id,roles(character)&roles.or=(character.eq.Gummo,character.eq.Zeppo)" =>
        { "table": "films", "select": "id,roles(character)", "embed": { "roles": { "filter": { "or": [{ "character": "eq.Gummo" }, { "character": "eq.Zeppo" }] } } } };
    embedded_limit_and_offset: "films?select=id,actors(id)&actors.order=id&actors.limit=2&actors.offset=1&order=id" =>
        { "table": "films", "select": "id,actors(id)", "embed": { "actors": { "order": "id", "limit": 2, "offset": 1 } }, "order": "id" };
    embedded_limit_to_one_of_many: "directors?select=id,films(title)&films.order=year.desc&films.limit=1&order=id" =>
        { "table": "directors", "select": "id,films(title)", "embed": { "films": { "order": "year.desc", "limit": 1 } }, "order": "id" };
    two_aliases_of_one_relation: "films?select=id,old:competitions(name),new:competitions(name)&old.year=lt.1990&new.year=gte.1990" =>
        { "table": "films", "select": "id,old:competitions(name),new:competitions(name)", "embed": { "old": { "filter": { "year": "lt.1990" } }, "new": { "filter": { "year": "gte.1990" } } } };
    nested_embedded_filter: "films?select=id,roles(actor_id,actors(id))&roles.actors.first_name=like.*Tom*&roles.order=actor_id&order=id" =>
        { "table": "films", "select": "id,roles(actor_id,actors(id))", "embed": { "roles.actors": { "filter": { "first_name": "like.%Tom%" } }, "roles": { "order": "actor_id" } }, "order": "id" };
    embedded_filter_on_to_one: "films?select=id,directors(last_name)&directors.last_name=eq.Kovacs" =>
        { "table": "films", "select": "id,directors(last_name)", "embed": { "directors": { "filter": { "last_name": "eq.Kovacs" } } } };
    embedded_filter_on_one_to_one: "films?select=id,technical_specs(camera)&technical_specs.camera=eq.Arri" =>
        { "table": "films", "select": "id,technical_specs(camera)", "embed": { "technical_specs": { "filter": { "camera": "eq.Arri" } } } };
    embedded_order_by_a_related_column: "films?select=id,roles(character,actors(last_name))&roles.order=actors(last_name).desc,actor_id&order=id" =>
        { "table": "films", "select": "id,roles(character,actors(last_name))", "embed": { "roles": { "order": "actors(last_name).desc,actor_id" } }, "order": "id" };
    embedded_json_filter: "directors?select=id,films(id)&films.extra->>blood_type=eq.A-" =>
        { "table": "directors", "select": "id,films(id)", "embed": { "films": { "filter": { "extra->>blood_type": "eq.A-" } } } };

    // ---- leaving out rows of the table itself ----
    inner_with_a_filter: "films?select=id,actors!inner(first_name)&actors.first_name=eq.Jehanne" =>
        { "table": "films", "select": "id,actors!inner(first_name)", "embed": { "actors": { "filter": { "first_name": "eq.Jehanne" } } } };
    inner_to_one_with_a_filter: "films?select=id,directors!inner(last_name)&directors.last_name=like.K*" =>
        { "table": "films", "select": "id,directors!inner(last_name)", "embed": { "directors": { "filter": { "last_name": "like.K%" } } } };
    inner_nested_with_a_filter: "directors?select=id,films!inner(id,roles!inner(character))&films.roles.character=eq.Chico" =>
        { "table": "directors", "select": "id,films!inner(id,roles!inner(character))", "embed": { "films.roles": { "filter": { "character": "eq.Chico" } } } };
    spread_inner_with_a_filter: "films?select=id,...directors!inner(last_name)&directors.last_name=eq.Lindqvist" =>
        { "table": "films", "select": "id,...directors!inner(last_name)", "embed": { "directors": { "filter": { "last_name": "eq.Lindqvist" } } } };

    // ---- null filtering ----
    some_related_row: "films?select=id,actors(id)&actors=not.is.null" =>
        { "table": "films", "select": "id,actors(id)", "filter": { "actors": "isnot.null" } };
    no_related_row: "films?select=id,nominations()&nominations=is.null" => { "table": "films", "select": "id", "filter": { "nominations": "is.null" } };
    no_related_row_as_a_bare_null: "films?select=id,nominations()&nominations=is.null" =>
        { "table": "films", "select": "id", "filter": { "nominations": null } };
    no_related_to_one_row: "films?select=id,directors()&directors=is.null" => { "table": "films", "select": "id", "filter": { "directors": "is.null" } };
    no_related_row_in_a_group: "films?select=id,actors(id),directors(id)&or=(actors.is.null,directors.is.null)" =>
        { "table": "films", "select": "id,actors(id),directors(id)", "filter": { "or": [{ "actors": "is.null" }, { "directors": "is.null" }] } };
    empty_embed_with_a_filter: "films?select=title,actors()&actors.first_name=eq.Jehanne&actors=not.is.null" =>
        { "table": "films", "select": "title", "filter": { "actors.first_name": "eq.Jehanne" } };
    two_conditions_on_one_related_row: "films?select=id,roles()&roles.character=eq.Chico&roles.fee=gt.50&roles=not.is.null" =>
        { "table": "films", "select": "id", "filter": { "roles.character": "eq.Chico", "roles.fee": "gt.50" } };
    no_related_row_that_fulfils: "films?select=id,roles()&roles.character=eq.Chico&roles=is.null" =>
        { "table": "films", "select": "id", "filter": { "not": { "roles.character": "eq.Chico" } } };
    related_condition_over_two_levels: "directors?select=id,films!inner(id,actors!inner(id))&films.actors.last_name=eq.Alcy&films.order=id&films.actors.order=id" =>
        { "table": "directors", "select": "id,films!inner(id,actors!inner(id))", "embed": { "films.actors": { "filter": { "last_name": "eq.Alcy" } } } };
    related_condition_of_a_self_reference: "employees?select=id,supervisor_id()&supervisor_id.last_name=eq.Chief&supervisor_id=not.is.null" =>
        { "table": "employees", "select": "id", "filter": { "supervisor_id.last_name": "eq.Chief" } };
    related_condition_with_a_hint: "orders?select=id,h:addresses!shipping()&h.city=eq.Oslo&h=not.is.null" =>
        { "table": "orders", "select": "id", "filter": { "addresses!shipping.city": "eq.Oslo" } };
    related_condition_of_the_many_of_a_self_reference:
        "employees?select=id,h:employees!supervisor_id()&h.last_name=eq.Fifth&h=not.is.null" =>
        { "table": "employees", "select": "id", "filter": { "employees!supervisor_id.last_name": "eq.Fifth" } };
    related_condition_with_or: "films?select=id,r:roles(),s:technical_specs()&r.character=eq.Cat&s.camera=eq.Bolex&or=(r.not.is.null,s.not.is.null)" =>
        { "table": "films", "select": "id", "filter": { "or": [{ "roles.character": "eq.Cat" }, { "technical_specs.camera": "eq.Bolex" }] } };
}
