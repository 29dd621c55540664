//! [`macro@operation`]: what a handler's signature already says is not said again.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, FnArg, GenericArgument, Ident, ItemFn, LitStr, PathArguments, Token, Type, bracketed};

/// Makes a constant of type `shared::http::Operation` from a handler, named as the handler in capitals (`handler` becomes
/// `HANDLER`), and documents the handler with `utoipa::path`.
///
/// ```ignore
/// #[operation(PUT, "/user/passkeys/{id}", summary = "Rename a passkey", responses((status = 200, body = PasskeyView)))]
/// pub async fn handler(caller: CurrentUser, PathId(id): PathId<PasskeyId>, Json(body): Json<RenamePasskey>) -> Result<...>
/// ```
///
/// First the method and the path below the API's base path, then, in this order and where needed:
/// - `at_root`, `at_root["/other"]`: also served outside the base path, at the same path or at others;
/// - `undocumented`: not part of the OpenAPI document.
///
/// All else is passed to `utoipa::path`. The request body is taken from an argument of type `Json<T>` or `OptionalJson<T>`; the
/// security scheme, the tag, the operation's id and the errors follow from the arguments' types and from the route's file.
#[proc_macro_attribute]
pub fn operation(attribute: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let operation = syn::parse_macro_input!(attribute as Operation);
    let handler = syn::parse_macro_input!(item as ItemFn);
    expand(&operation, &handler).unwrap_or_else(Error::into_compile_error).into()
}

struct Operation {
    method: Ident,
    path: LitStr,
    root_paths: Vec<LitStr>,
    documented: bool,
    rest: TokenStream,
}

impl Parse for Operation {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let method = input.parse()?;
        input.parse::<Token![,]>()?;
        let path: LitStr = input.parse()?;
        let mut operation =
            Self { method, root_paths: Vec::new(), documented: true, rest: TokenStream::new(), path: path.clone() };
        while !input.is_empty() {
            input.parse::<Token![,]>()?;
            let fork = input.fork();
            match fork.parse::<Ident>() {
                Ok(word) if word == "at_root" => {
                    input.parse::<Ident>()?;
                    if input.peek(syn::token::Bracket) {
                        let paths;
                        bracketed!(paths in input);
                        let paths = Punctuated::<LitStr, Token![,]>::parse_terminated(&paths)?;
                        operation.root_paths.extend(paths);
                    } else {
                        operation.root_paths.push(path.clone());
                    }
                }
                Ok(word) if word == "undocumented" => {
                    input.parse::<Ident>()?;
                    operation.documented = false;
                }
                _ => operation.rest = input.parse()?,
            }
        }
        Ok(operation)
    }
}

fn expand(operation: &Operation, handler: &ItemFn) -> syn::Result<TokenStream> {
    let Operation { method, path, root_paths, documented, rest } = operation;
    let routing = match method.to_string().as_str() {
        "GET" => quote!(get),
        "POST" => quote!(post),
        "PUT" => quote!(put),
        "PATCH" => quote!(patch),
        "DELETE" => quote!(delete),
        _ => return Err(Error::new(method.span(), "expected GET, POST, PUT, PATCH or DELETE")),
    };
    let name = &handler.sig.ident;
    let constant = format_ident!("{}", name.to_string().to_uppercase());
    let method = method.to_string();
    let arguments = argument_types(handler)?;
    let doc = format!("`{method} {}`, served by [`{name}`].", path.value());
    let (document, pointer) = if *documented {
        let body =
            arguments.iter().find_map(|argument| request_body(argument)).map(|body| quote!(request_body = #body,));
        let documents = format_ident!("{}Document", constant, span = name.span());
        let document = quote! {
            #[derive(::utoipa::OpenApi)]
            #[openapi(paths(#name))]
            #[allow(non_camel_case_types, reason = "the name is made from the handler's")]
            struct #documents;

            #[utoipa::path(#routing, path = #path, #body #rest)]
        };
        (document, quote!(::core::option::Option::Some(<#documents as ::utoipa::OpenApi>::openapi)))
    } else {
        (TokenStream::new(), quote!(::core::option::Option::None))
    };
    Ok(quote! {
        #[doc = #doc]
        pub const #constant: ::shared::http::Operation = ::shared::http::Operation {
            method: #method,
            path: #path,
            root_paths: &[#(#root_paths),*],
            arguments: &[#(<#arguments as ::shared::http::HandlerArgument>::NEEDS),*],
            handler: || ::axum::routing::#routing(#name),
            document: #pointer,
        };
        #document
        #handler
    })
}

fn argument_types(handler: &ItemFn) -> syn::Result<Vec<&Type>> {
    let types = handler.sig.inputs.iter().map(|argument| match argument {
        FnArg::Typed(argument) => Ok(&*argument.ty),
        FnArg::Receiver(this) => Err(Error::new_spanned(this, "a handler is a function of its own")),
    });
    types.collect()
}

/// `T` of `Json<T>`, `Option<T>` of `OptionalJson<T>`.
fn request_body(argument: &Type) -> Option<TokenStream> {
    let Type::Path(path) = argument else { return None };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(generics) = &last.arguments else { return None };
    let GenericArgument::Type(body) = generics.args.first()? else { return None };
    match last.ident.to_string().as_str() {
        "Json" => Some(quote!(#body)),
        "OptionalJson" => Some(quote!(Option<#body>)),
        _ => None,
    }
}
