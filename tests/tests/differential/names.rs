//! Names that look like syntax. An exact column name always wins here, so most need no quotes.

use crate::question::questions;

questions! {
    table_with_a_blank: "Odd Names?select=*" => { "table": "Odd Names" };
    table_in_quotes: "Odd Names?select=The Id" => { "table": "\"Odd Names\"", "select": "\"The Id\"" };
    table_with_a_dot: "odd.Children?select=*" => { "table": "\"odd.Children\"" };
    blank_and_case: "Odd Names?select=The Id,UPPER,upper" => { "table": "Odd Names", "select": "The Id,UPPER,upper" };
    dot: "Odd Names?select=The Id,\"a.b\"" => { "table": "Odd Names", "select": "The Id,\"a.b\"" };
    dot_without_quotes: "Odd Names?select=The Id,\"a.b\"" => { "table": "Odd Names", "select": "The Id,a.b" };
    quote_in_a_name: "Odd Names?select=The Id,\"quote\\\"d\"" => { "table": "Odd Names", "select": "The Id,\"quote\"\"d\"" };
    reserved_words: "Odd Names?select=select,order,and" => { "table": "Odd Names", "select": "select,order,and" };
    arrow: "Odd Names?select=The Id,\"x->y\"" => { "table": "Odd Names", "select": "The Id,\"x->y\"" };
    comma_parenthesis_colon: "Odd Names?select=\"comma,name\",\"paren(s)\",\"colon:name\",\"semi;colon\"" =>
        { "table": "Odd Names", "select": "\"comma,name\",\"paren(s)\",\"colon:name\",\"semi;colon\"" };
    letters_of_other_alphabets: "Odd Names?select=größe" => { "table": "Odd Names", "select": "größe" };
    dashes_and_digits: "Odd Names?select=\"-dash-\",1st" => { "table": "Odd Names", "select": "-dash-,1st" };
    column_named_like_an_aggregate: "Odd Names?select=\"count\",The Id" => { "table": "Odd Names", "select": "\"count\",The Id" };
    renamed: "Odd Names?select=id:The Id,v:\"a.b\"" => { "table": "Odd Names", "select": "id:The Id,v:\"a.b\"" };

    filter_on_a_blank: "Odd Names?select=The Id&The Id=eq.2" => { "table": "Odd Names", "select": "The Id", "filter": { "The Id": 2 } };
    filter_on_a_dot: "Odd Names?select=The Id&\"a.b\"=gt.10" => { "table": "Odd Names", "select": "The Id", "filter": { "a.b": "gt.10" } };
    filter_on_a_dot_in_quotes: "Odd Names?select=The Id&\"a.b\"=gt.10" =>
        { "table": "Odd Names", "select": "The Id", "filter": { "\"a.b\"": "gt.10" } };
    filter_on_a_word_of_the_grammar: "Odd Names?select=The Id&or=(and.is.true,order.eq.2)" =>
        { "table": "Odd Names", "select": "The Id", "filter": { "or": [{ "\"and\"": "is.true" }, { "order": 2 }] } };
    filter_on_an_arrow: "Odd Names?select=The Id&or=(\"x->y\".eq.xy1)" => { "table": "Odd Names", "select": "The Id", "filter": { "x->y": "eq.xy1" } };
    filter_on_a_quote: "Odd Names?select=The Id&\"quote\\\"d\"=eq.q2" => { "table": "Odd Names", "select": "The Id", "filter": { "quote\"d": "eq.q2" } };
    order_by_a_blank: "Odd Names?select=UPPER&order=The Id.desc" => { "table": "Odd Names", "select": "UPPER", "order": "The Id.desc" };
    order_by_a_dot: "Odd Names?select=The Id&order=\"a.b\".desc.nullslast" =>
        { "table": "Odd Names", "select": "The Id", "order": "\"a.b\".desc.nullslast" };
    order_by_a_reserved_word: "Odd Names?select=The Id&order=order.nullsfirst" =>
        { "table": "Odd Names", "select": "The Id", "order": "order.nullsfirst" };

    embed: "odd.Children?select=child id,Odd Names(UPPER)" => { "table": "\"odd.Children\"", "select": "child id,Odd Names(UPPER)" };
    embed_in_quotes: "Odd Names?select=The Id,\"odd.Children\"(Value)" =>
        { "table": "Odd Names", "select": "The Id,\"odd.Children\"(Value)" };
    embed_by_an_odd_constraint: "odd.Children?select=child id,p:Odd Names!Odd Key(\"a.b\")" =>
        { "table": "\"odd.Children\"", "select": "child id,p:Odd Names!Odd Key(\"a.b\")" };
    embed_shaped: "Odd Names?select=The Id,\"odd.Children\"(Value)&\"odd.Children\".order=Value.desc&order=The Id" =>
        { "table": "Odd Names", "select": "The Id,\"odd.Children\"(Value)", "embed": { "\"odd.Children\"": { "order": "Value.desc" } }, "order": "The Id" };
    related_condition: "Odd Names?select=The Id,\"odd.Children\"()&\"odd.Children\".Value=eq.third&\"odd.Children\"=not.is.null" =>
        { "table": "Odd Names", "select": "The Id", "filter": { "\"odd.Children\".Value": "eq.third" } };
    sum_of_a_dot: "Odd Names?select=\"a.b\".sum()" => { "table": "Odd Names", "select": "\"a.b\".sum()" };
}
