//! "Logical operators": and, or, not, nested, and what they mean for nulls.

use crate::question::questions;

questions! {
    or: "films?select=id&or=(year.lt.1980,year.gt.2010)" =>
        { "table": "films", "select": "id", "filter": { "or": [{ "year": "lt.1980" }, { "year": "gt.2010" }] } };
    or_of_one_object: "films?select=id&or=(language.eq.en,genre.eq.drama)" =>
        { "table": "films", "select": "id", "filter": { "or": { "language": "eq.en", "genre": "eq.drama" } } };
    and: "films?select=id&and=(year.gte.1978,year.lte.1996)" =>
        { "table": "films", "select": "id", "filter": { "and": [{ "year": "gte.1978" }, { "year": "lte.1996" }] } };
    not_and: "films?select=id&not.and=(year.gte.1978,year.lte.1996)" =>
        { "table": "films", "select": "id", "filter": { "not": { "year": { "gte": 1978, "lte": 1996 } } } };
    not_or: "films?select=id&not.or=(language.eq.en,language.is.null)" =>
        { "table": "films", "select": "id", "filter": { "not": { "or": [{ "language": "eq.en" }, { "language": "is.null" }] } } };
    not_of_several_columns: "films?select=id&not.and=(language.eq.en,genre.eq.comedy)" =>
        { "table": "films", "select": "id", "filter": { "not": { "language": "eq.en", "genre": "eq.comedy" } } };
    documented_example: "films?select=id&rating=gte.4&language=neq.hu&or=(year.eq.1981,not.and(year.gte.1990,year.lte.2011))" =>
        { "table": "films", "select": "id", "filter": { "rating": "gte.4", "language": "neq.hu", "or": [{ "year": "eq.1981" }, { "not": { "year": { "gte": 1990, "lte": 2011 } } }] } };
    or_in_and_in_or: "films?select=id&or=(id.eq.1,and(year.gt.1990,or(genre.eq.horror,language.eq.de)))" =>
        { "table": "films", "select": "id", "filter": { "or": [{ "id": 1 }, { "and": [{ "year": "gt.1990" }, { "or": [{ "genre": "eq.horror" }, { "language": "eq.de" }] }] }] } };
    negated_conditions_in_a_group: "films?select=id&or=(language.not.eq.en,rating.not.is.null)" =>
        { "table": "films", "select": "id", "filter": { "or": [{ "language": "not.eq.en" }, { "rating": "not.is.null" }] } };
    not_of_a_not: "films?select=id&not.and=(not.or(language.eq.en,year.gt.2010))" =>
        { "table": "films", "select": "id", "filter": { "not": { "not": { "or": [{ "language": "eq.en" }, { "year": "gt.2010" }] } } } };
    two_groups: "films?select=id&or=(id.lt.4,id.gt.10)&and=(id.neq.2,id.neq.12)" =>
        { "table": "films", "select": "id", "filter": { "or": [{ "id": "lt.4" }, { "id": "gt.10" }], "and": [{ "id": "neq.2" }, { "id": "neq.12" }] } };
    in_and_like_in_a_group: "films?select=id&or=(id.in.(1,2),title.like.*Cat*,tags.cs.{secret})" =>
        { "table": "films", "select": "id", "filter": { "or": [{ "id": { "in": [1, 2] } }, { "title": "like.%Cat%" }, { "tags": { "cs": ["secret"] } }] } };
    json_in_a_group: "films?select=id&or=(extra->>blood_type.eq.O+,extra->age.gt.90)" =>
        { "table": "films", "select": "id", "filter": { "or": [{ "extra->>blood_type": "eq.O+" }, { "extra->age": "gt.90" }] } };
    nulls_stay_out_of_not: "films?select=id,rating&not.and=(rating.gt.5)" =>
        { "table": "films", "select": "id,rating", "filter": { "not": { "rating": "gt.5" } } };
}
