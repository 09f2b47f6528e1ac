//! "Aggregate Functions".

use crate::question::questions;

questions! {
    count_of_rows: "orders?select=count()" => { "table": "orders", "select": "count()" };
    count_by_group: "orders?select=count(),order_date" => { "table": "orders", "select": "count(),order_date" };
    count_of_a_column: "orders?select=amount.count(),order_date" => { "table": "orders", "select": "amount.count(),order_date" };
    sum: "orders?select=amount.sum()" => { "table": "orders", "select": "amount.sum()" };
    several: "orders?select=amount.sum(),amount.avg(),amount.min(),amount.max(),order_date" =>
        { "table": "orders", "select": "amount.sum(),amount.avg(),amount.min(),amount.max(),order_date" };
    two_groups: "samples?select=flag,mood,n.sum(),count()" => { "table": "samples", "select": "flag,mood,n.sum(),count()" };
    renamed: "orders?select=total:amount.sum(),biggest:amount.max(),n:count()" =>
        { "table": "orders", "select": "total:amount.sum(),biggest:amount.max(),n:count()" };
    cast_of_the_output: "orders?select=amount.avg()::int" => { "table": "orders", "select": "amount.avg()::int" };
    cast_of_the_input: "films?select=extra->budget->>amount::numeric.sum()" => { "table": "films", "select": "extra->budget->>amount::numeric.sum()" };
    cast_of_both: "films?select=low:extra->>age::numeric.min()::int" => { "table": "films", "select": "low:extra->>age::numeric.min()::int" };
    with_a_filter: "samples?select=flag,price.sum()&n=gt.0" => { "table": "samples", "select": "flag,price.sum()", "filter": { "n": "gt.0" } };
    filter_that_leaves_nothing: "orders?select=amount.sum(),count()&id=gt.100" =>
        { "table": "orders", "select": "amount.sum(),count()", "filter": { "id": "gt.100" } };
    groups_of_nothing: "orders?select=order_date,count()&id=gt.100" =>
        { "table": "orders", "select": "order_date,count()", "filter": { "id": "gt.100" } };
    ordered_by_a_group: "orders?select=order_date,count()&order=order_date.desc" =>
        { "table": "orders", "select": "order_date,count()", "order": "order_date.desc" };
    limited: "samples?select=n,count()&order=n.nullslast&limit=4&offset=2" =>
        { "table": "samples", "select": "n,count()", "order": "n.nullslast", "limit": 4, "offset": 2 };
    grouped_by_json: "samples?select=data->>k,count()" => { "table": "samples", "select": "data->>k,count()" };
    grouped_by_a_renamed_cast: "samples?select=day:at::date,count()" => { "table": "samples", "select": "day:at::date,count()" };
    grouped_by_a_cast: "films?select=rating::int,count()" => { "table": "films", "select": "rating::int,count()" }
        differs "PostgREST groups by the column when the cast has no name of its own, so groups come twice":
        [{ "rating": null, "count": 1 }, { "rating": 3, "count": 1 }, { "rating": 4, "count": 1 }, { "rating": 6, "count": 5 }, { "rating": 8, "count": 2 }, { "rating": 10, "count": 1 }];
    minimum_of_dates_and_texts: "samples?select=on_day.min(),label.max(),latest:at.max()" =>
        { "table": "samples", "select": "on_day.min(),label.max(),latest:at.max()" };
    sum_of_big_numbers: "samples?select=big.sum(),big.max()" => { "table": "samples", "select": "big.sum(),big.max()" };
    sum_of_floats: "samples?select=ratio.sum(),ratio.avg()" => { "table": "samples", "select": "ratio.sum(),ratio.avg()" };

    // ---- with embeds ----
    grouped_by_an_embedded_row: "films?select=rating.sum(),directors(last_name)" =>
        { "table": "films", "select": "rating.sum(),directors(last_name)" };
    within_an_embed: "directors?select=last_name,films(rating.sum(),count())" =>
        { "table": "directors", "select": "last_name,films(rating.sum(),count())" };
    within_an_embed_by_group: "directors?select=last_name,films(count(),genre)" => { "table": "directors", "select": "last_name,films(count(),genre)" };
    within_a_many_to_many_embed: "actors?select=last_name,films(count(),year.min())" =>
        { "table": "actors", "select": "last_name,films(count(),year.min())" };
    within_an_embed_with_a_filter: "directors?select=id,films(count())&films.year=gt.1990" =>
        { "table": "directors", "select": "id,films(count())", "embed": { "films": { "filter": { "year": "gt.1990" } } } };
    grouped_by_a_spread: "films?select=rating.sum(),...directors(last_name)" => { "table": "films", "select": "rating.sum(),...directors(last_name)" };
    grouped_by_a_spread_in_a_spread: "roles?select=fee.sum(),...films(...directors(last_name))" =>
        { "table": "roles", "select": "fee.sum(),...films(...directors(last_name))" };
    grouped_by_a_row_in_an_embedded_row: "roles?select=count(),films(directors(last_name))" =>
        { "table": "roles", "select": "count(),films(directors(last_name))" };
    of_a_spread: "films?select=genre,...directors(born.max())" => { "table": "films", "select": "genre,...directors(born.max())" };
    two_of_a_spread: "films?select=genre,...directors(born.max(),born.min())&director_id=eq.1" =>
        { "table": "films", "select": "genre,...directors(born.max(),born.min())", "filter": { "director_id": 1 } }
        differs "PostgREST 12.0.2 cannot aggregate one spread column twice, though its page does: column reference is ambiguous":
        [{ "genre": "documentary", "max": "1951-03-04", "min": "1951-03-04" }, { "genre": "drama", "max": "1951-03-04", "min": "1951-03-04" }];
    of_a_renamed_spread: "roles?select=character,...films(newest:year.max())" => { "table": "roles", "select": "character,...films(newest:year.max())" };
    hidden_rows_do_not_count: "samples?select=count(),id.sum()" => { "table": "samples", "select": "count(),id.sum()" };
}
